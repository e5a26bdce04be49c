#include "mmh/codec/registry.h"

#include "codec/toy_codecs.h"
#include "support/support.h"

namespace mmh::test {
namespace {

TEST(Registry, FindsByIdAndListsInOrder) {
  const codec::Registry& registry = toy_registry();
  std::vector<codec::CodecId> ids;
  for (const codec::Codec* codec : registry.all()) {
    EXPECT_EQ(registry.find(codec->id()), codec);
    ids.push_back(codec->id());
  }
  EXPECT_THAT(ids, testing::ElementsAre(kRunLength, kDeal, kXor, kSwell, kFan, kNumbers));
}

TEST(Registry, GivesNullForOtherIds) {
  for (const unsigned id : {0u, 1u, 99u, 106u, 0xffffffffu}) {
    EXPECT_EQ(toy_registry().find(static_cast<codec::CodecId>(id)), nullptr) << id;
  }
}

TEST(RegistryDeathTest, RefusesTwoCodecsOfOneId) {
  const codec::Codec* const codec = toy_registry().find(kXor);
  EXPECT_DEATH(codec::Registry({codec, codec}), "adjacent_find");
}

}  // namespace
}  // namespace mmh::test
