// The same symbols as liblcrq makes, an implementation of RFC 6330 of other people; where it is installed.

#include "fec_support.h"

#if defined(MMH_TEST_LCRQ)
extern "C" {
#include <lcrq.h>
}
// lcrq.h defines them for itself.
#undef CEIL
#undef FLOOR

namespace mmh::fec {
namespace {

struct FreeLcrq {
  void operator()(rq_t* block) const { rq_free(block); }
};

TEST(Lcrq, MakesTheSameSymbols) {
  test::Random random(31);
  for (int round = 0; round < 17; ++round) {
    const auto k = static_cast<std::uint32_t>(1 + random.below(round < 15 ? 200 : 1000));
    const std::size_t size = 4 * (1 + random.below(40));
    Buffer source = test::random_bytes(k * size, random.next());
    const std::unique_ptr<rq_t, FreeLcrq> theirs(rq_init(source.size(), static_cast<std::uint16_t>(size)));
    ASSERT_EQ(rq_Z(theirs.get()), 1);
    ASSERT_EQ(rq_encode(theirs.get(), source.data(), source.size()), 0);

    Numbers wanted = numbers_from(k, 20);
    for (int i = 0; i < 20; ++i) wanted.push_back(static_cast<std::uint32_t>(k + 20 + random.below(10'000'000)));
    const Result<Plan> plan = Plan::make({Scheme::raptorq, k}, numbers_from(0, k), wanted);
    ASSERT_OK(plan);
    std::vector<ByteView> from;
    for (std::size_t i = 0; i < k; ++i) from.push_back(ByteView(source).subspan(i * size, size));
    Symbols ours(wanted.size(), size);
    ASSERT_OK(plan->run(from, ours.all()));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      rq_pid_t id = 0;
      id = rq_pidsetesi(id, wanted[i]);  // another byte order in each version
      Buffer symbol(size);
      ASSERT_NE(rq_symbol(theirs.get(), &id, reinterpret_cast<std::uint8_t*>(symbol.data()), 0), nullptr);
      ASSERT_TRUE(std::ranges::equal(symbol, ours[i])) << k << " " << wanted[i];
    }
  }
}

}  // namespace
}  // namespace mmh::fec

#else

TEST(Lcrq, MakesTheSameSymbols) {
  GTEST_SKIP() << "liblcrq is not installed (Debian: liblcrq-dev); the known answers of raptorq_vectors.h stand in";
}

#endif
