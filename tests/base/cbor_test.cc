#include "mmh/base/cbor.h"

#include <limits>
#include <string>

#include "support/support.h"

namespace mmh {
namespace {

using test::error_of;

Buffer unhex(std::string_view digits) {
  Buffer bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoul(std::string(digits.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

template <class Write>
Buffer written(Write write) {
  Buffer out;
  CborWriter writer(out);
  write(writer);
  return out;
}

Result<> skip_all(ByteView in) {
  CborReader reader(in);
  MMH_TRY(reader.skip());
  return reader.finish();
}

// RFC 8949, appendix A.
struct UnsignedVector {
  std::uint64_t value;
  std::string_view hex;
};
constexpr UnsignedVector kUnsigned[] = {
    {0, "00"},
    {1, "01"},
    {10, "0a"},
    {23, "17"},
    {24, "1818"},
    {25, "1819"},
    {100, "1864"},
    {1000, "1903e8"},
    {1000000, "1a000f4240"},
    {1000000000000, "1b000000e8d4a51000"},
    {18446744073709551615u, "1bffffffffffffffff"},
};

TEST(Cbor, UnsignedIntegersAreThoseOfTheStandard) {
  for (const auto& [value, hex] : kUnsigned) {
    const Buffer bytes = unhex(hex);
    EXPECT_EQ(written([&](CborWriter& out) { out.unsigned_integer(value); }), bytes) << hex;
    CborReader reader(bytes);
    EXPECT_EQ(reader.peek().value(), CborType::unsigned_integer);
    EXPECT_EQ(reader.unsigned_integer().value(), value);
    EXPECT_OK(reader.finish());
  }
}

TEST(Cbor, SignedIntegersAreThoseOfTheStandard) {
  constexpr std::pair<std::int64_t, std::string_view> kVectors[] = {
      {0, "00"},
      {1000, "1903e8"},
      {-1, "20"},
      {-10, "29"},
      {-100, "3863"},
      {-1000, "3903e7"},
      {std::numeric_limits<std::int64_t>::max(), "1b7fffffffffffffff"},
      {std::numeric_limits<std::int64_t>::min(), "3b7fffffffffffffff"},
  };
  for (const auto& [value, hex] : kVectors) {
    const Buffer bytes = unhex(hex);
    EXPECT_EQ(written([&](CborWriter& out) { out.integer(value); }), bytes) << hex;
    CborReader reader(bytes);
    EXPECT_EQ(reader.integer().value(), value) << hex;
    EXPECT_OK(reader.finish());
  }
}

TEST(Cbor, RefusesIntegersBeyondTheTypeAskedFor) {
  for (const std::string_view hex : {"1b8000000000000000", "3b8000000000000000", "3bffffffffffffffff"}) {
    const Buffer bytes = unhex(hex);
    EXPECT_EQ(error_of(CborReader(bytes).integer()), Errc::corrupt) << hex;
    EXPECT_OK(skip_all(bytes));
  }
}

TEST(Cbor, SimpleValuesAreThoseOfTheStandard) {
  EXPECT_EQ(written([](CborWriter& out) { out.boolean(false), out.boolean(true), out.null(); }), unhex("f4f5f6"));
  const Buffer bytes = unhex("f4f5f6");
  CborReader reader(bytes);
  EXPECT_EQ(reader.boolean().value(), false);
  EXPECT_EQ(reader.boolean().value(), true);
  EXPECT_EQ(reader.peek().value(), CborType::null);
  EXPECT_OK(reader.null());
  EXPECT_OK(reader.finish());
}

TEST(Cbor, StringsAreThoseOfTheStandard) {
  constexpr std::pair<std::string_view, std::string_view> kTexts[] = {
      {"", "60"},           {"a", "6161"},          {"IETF", "6449455446"},       {"\"\\", "62225c"},
      {"\u00fc", "62c3bc"}, {"\u6c34", "63e6b0b4"}, {"\U00010151", "64f0908591"},
  };
  for (const auto& [value, hex] : kTexts) {
    const Buffer bytes = unhex(hex);
    EXPECT_EQ(written([&](CborWriter& out) { out.text(value); }), bytes) << hex;
    EXPECT_EQ(CborReader(bytes).text().value(), value);
    EXPECT_EQ(error_of(CborReader(bytes).bytes()), Errc::corrupt);
  }
  const Buffer bytes = unhex("4401020304");
  EXPECT_EQ(written([&](CborWriter& out) { out.bytes(unhex("01020304")); }), bytes);
  EXPECT_EQ(as_text(CborReader(bytes).bytes().value()), "\1\2\3\4");
  EXPECT_EQ(CborReader(unhex("40")).bytes().value().size(), 0u);
}

TEST(Cbor, NestedItemsAreThoseOfTheStandard) {
  EXPECT_EQ(written([](CborWriter& out) {
              out.map(2);
              out.text("a"), out.unsigned_integer(1);
              out.text("b"), out.array(2), out.unsigned_integer(2), out.unsigned_integer(3);
            }),
            unhex("a26161016162820203"));
  for (const std::string_view hex :
       {"80", "83010203", "8301820203820405", "98190102030405060708090a0b0c0d0e0f101112131415161718181819", "a0",
        "a201020304", "a26161016162820203", "826161a161626163", "a56161614161626142616361436164614461656145"}) {
    EXPECT_OK(skip_all(unhex(hex)));
  }
}

TEST(Cbor, RefusesWhatTheFormatsDoNotUse) {
  for (const std::string_view hex : {
           "f90000",
           "fa47c35000",
           "fb3ff199999999999a",
           "f97e00",  // floats
           "f7",
           "f0",
           "f8ff",
           "f818",  // undefined, other simple values
           "c074323031332d30332d32315432303a30343a30305a",
           "c11a514b67b0",
           "c249010000000000000000",
           "d74401020304",
           "5f42010243030405ff",
           "7f657374726561646d696e67ff",
           "9fff",
           "bf61610161629f0203ffff",  // indefinite lengths
           "1c",
           "1f",
           "3c",
           "5c",
           "7e",
           "9c",
           "bd",
           "fc",
           "ff",  // not well-formed
       }) {
    EXPECT_EQ(error_of(skip_all(unhex(hex))), Errc::corrupt) << hex;
  }
}

TEST(Cbor, RefusesIntegersThatAreNotShortest) {
  for (const std::string_view hex : {"1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff",
                                     "1b0000000000000000", "1b00000000ffffffff", "3800", "5800", "580161",
                                     "790001"
                                     "61",
                                     "9800", "b800"}) {
    EXPECT_EQ(error_of(skip_all(unhex(hex))), Errc::corrupt) << hex;
  }
}

TEST(Cbor, RefusesEveryTruncation) {
  const Buffer whole = written([](CborWriter& out) {
    out.map(3);
    out.unsigned_integer(1), out.bytes(test::random_bytes(300, 1));
    out.unsigned_integer(500), out.array(3), out.integer(-70000), out.boolean(true), out.null();
    out.unsigned_integer(70000), out.text("some words");
  });
  ASSERT_OK(skip_all(whole));
  for (std::size_t keep = 0; keep < whole.size(); ++keep) {
    const Buffer cut = copy_of(ByteView(whole).first(keep));
    EXPECT_EQ(error_of(skip_all(cut)), Errc::corrupt) << keep;
  }
}

TEST(Cbor, RefusesCountsThatTheBytesLeftCannotHold) {
  for (const std::string_view hex : {"81", "8200", "a1", "a100", "9bffffffffffffffff", "bbffffffffffffffff",
                                     "bb8000000000000000", "5bffffffffffffffff", "7a7fffffff"}) {
    const Buffer bytes = unhex(hex);
    EXPECT_EQ(error_of(skip_all(bytes)), Errc::corrupt) << hex;
  }
  EXPECT_EQ(error_of(CborReader(unhex("9a00000004000000")).array()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(unhex("a2000000")).map()), Errc::corrupt);
  EXPECT_EQ(CborReader(unhex("a200000100")).map().value(), 2u);
}

TEST(Cbor, RefusesTheWrongType) {
  const Buffer text = unhex("6161");
  EXPECT_EQ(error_of(CborReader(text).unsigned_integer()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(text).integer()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(text).bytes()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(text).array()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(text).map()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(text).boolean()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(text).null()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(unhex("f6")).boolean()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(unhex("f4")).null()), Errc::corrupt);
  EXPECT_EQ(error_of(CborReader(unhex("20")).unsigned_integer()), Errc::corrupt);
}

TEST(Cbor, RefusesTextThatIsNotUtf8) {
  const Buffer bytes = unhex("61ff");
  EXPECT_EQ(error_of(CborReader(bytes).text()), Errc::corrupt);
  EXPECT_EQ(error_of(skip_all(bytes)), Errc::corrupt);
}

TEST(Cbor, SkippingRefusesMapKeysOutOfOrder) {
  EXPECT_OK(
      skip_all(unhex("a3"
                     "0000"
                     "1818"
                     "00"
                     "2000")));
  EXPECT_EQ(error_of(skip_all(unhex("a2"
                                    "0100"
                                    "0000"))),
            Errc::corrupt)
      << "descending";
  EXPECT_EQ(error_of(skip_all(unhex("a2"
                                    "0100"
                                    "0100"))),
            Errc::corrupt)
      << "twice";
  EXPECT_EQ(error_of(skip_all(unhex("a2"
                                    "181800"
                                    "0000"))),
            Errc::corrupt)
      << "longer first";
  EXPECT_EQ(error_of(skip_all(unhex("a2"
                                    "62616100"
                                    "616200"))),
            Errc::corrupt)
      << "longer text first";
  EXPECT_EQ(error_of(skip_all(unhex("81a2"
                                    "0100"
                                    "0100"))),
            Errc::corrupt)
      << "nested";
}

TEST(Cbor, SkipsSixteenLevelsAndNoMore) {
  const auto nested = [](std::size_t levels, std::string_view one) {
    std::string hex;
    for (std::size_t i = 1; i < levels; ++i) hex += one;
    return unhex(hex + "00");
  };
  EXPECT_OK(skip_all(nested(16, "81")));
  EXPECT_EQ(error_of(skip_all(nested(17, "81"))), Errc::corrupt);
  EXPECT_OK(skip_all(nested(16, "a100")));
  EXPECT_EQ(error_of(skip_all(nested(17, "a100"))), Errc::corrupt);
  EXPECT_EQ(error_of(skip_all(nested(1'000'000, "81"))), Errc::corrupt);
}

TEST(Cbor, RefusesBytesThatFollow) {
  const Buffer bytes = unhex("0000");
  CborReader reader(bytes);
  EXPECT_OK(reader.skip());
  EXPECT_EQ(reader.rest().size(), 1u);
  EXPECT_EQ(error_of(reader.finish()), Errc::corrupt);
}

}  // namespace
}  // namespace mmh
