#pragma once
// Known answers. The hashes of repair symbols were made with liblcrq 0.0.1 (nanorq b622dfa for blocks of 10,000 symbols
// and more) from test::random_bytes(k * size, k); that of the tables over the numbers of RFC 6330, little-endian.

#include <cstdint>
#include <string_view>
#include <vector>

namespace mmh::fec {

struct Vector {
  std::uint32_t k;
  std::size_t size;
  std::string_view hash;  ///< BLAKE3 of the symbols vector_symbols(k), one after another.
};

inline std::vector<std::uint32_t> vector_symbols(std::uint32_t k) {
  std::vector<std::uint32_t> symbols;
  for (std::uint32_t i = 0; i < 16; ++i) symbols.push_back(k + i);
  for (const std::uint32_t esi : {70'000U, 123'456U, 1'000'000U, 16'000'000U}) symbols.push_back(esi);
  return symbols;
}

// clang-format off
inline constexpr std::string_view kTablesHash = "e37d0ed2a579168413914ccd123cafde22182f4586a539f05c1a08ef85147ac9";

inline constexpr Vector kVectors[] = {
    {1, 64, "b3c614e8739b8a130fd23b2c94058015ad7df710f354b6ea53b5a7b3bfab2587"},
    {2, 64, "94ac0a3b0efe61eaaf2073a0b1e94bc9b4db672b03ec75510814ff919fd7f6f7"},
    {9, 64, "17f6b6b5208db7243850563e46160634f1b9e4e409fa3dcef27ccd15ce1bdbd1"},
    {10, 64, "60bdf99171b478bd587bf85d7e13f57a6471c0ddec10f846ea68d18dc742822e"},
    {11, 64, "2b8fafc64b50d54dcc48798dcce7a27fb612fc008ffda7479db5278e50fb7644"},
    {12, 64, "53bd148ae2cd357dd664c1842a745f230428dea5375bec02ed4ae673925c5164"},
    {13, 64, "69e4e07c5495090cfba86a46f6b169e2f5a809db923279c58c41221bb3b1229b"},
    {42, 64, "96e7566a9b1630333bbcf9dec74e53ce31d890349dd39514df395b6f8d1ae1da"},
    {101, 64, "ff57d9fa7a3049afda7c8680ecef410bc977ec67353509718ec1db7ffa0b7038"},
    {256, 64, "c2536fd46de6d603dd561f0ffd64f46c9bd59c33264b496557faed225504fa78"},
    {257, 64, "45007c1043a0bfb85b46bc0a3d5a8eee0b65d4228cc25460a193c44f6d69d896"},
    {1000, 32, "81e1cd306596fa6bbb753ac6dba321898e945c6f5bbc6886188d07ce016c87d6"},
    {1002, 32, "cded9464eddbf70fccadafa900b2f932f8bb5a2f58d24abde444bd995fe3a734"},
    {2701, 16, "2ed068d98038eac825a62a671bca6190a8458ca875a5bd939d3b8da38fcffa4a"},
    {10000, 8, "8d7ed4e49fba3db649391bd8f7ccea85aa77ba3075a093cae97d67574e540e11"},
    {26460, 8, "e5f458e857aee433067f5778a065a9467cd379d077c0b0f67a09eadd1c213c80"},
    {56403, 8, "665cdf9c295ba53a8b164d1686523172a2b0d2428734a0811efde88110208a7b"},
};
// clang-format on

}  // namespace mmh::fec
