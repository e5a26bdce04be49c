// The loops of scaled_kernels.h, for the namespace and instruction set that include them.

// One more where the byte overflows, because there is one number less than bytes.
inline std::uint8_t moved(std::uint8_t symbol, std::uint8_t by) {
  const auto sum = static_cast<std::uint8_t>(symbol + by);
  const auto result = static_cast<std::uint8_t>(sum + (sum < symbol ? 1 : 0));
  return symbol == 0 ? std::uint8_t{0} : result;
}

void move(std::uint8_t* __restrict symbols, const std::uint8_t* __restrict by, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) symbols[i] = moved(symbols[i], by[i]);
}

void move_all(std::uint8_t* symbols, std::uint8_t by, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) symbols[i] = moved(symbols[i], by);
}

void add(const std::uint8_t* __restrict symbols, std::size_t count, std::uint16_t* __restrict sums,
         std::uint16_t* __restrict counts) {
  for (std::size_t i = 0; i < count; ++i) {
    sums[i] = static_cast<std::uint16_t>(sums[i] + symbols[i]);
    counts[i] = static_cast<std::uint16_t>(counts[i] + (symbols[i] != 0 ? 1 : 0));
  }
}

void add_pieces(const std::uint8_t* __restrict symbols, std::size_t pieces, std::uint16_t* __restrict sums,
                std::uint8_t* __restrict counts) {
  for (std::size_t i = 0; i < pieces; ++i) {
    const std::uint8_t* const piece = symbols + i * kPiece;
    std::uint16_t sum = 0;
    std::uint8_t count = 0;
    for (std::size_t k = 0; k < kPiece; ++k) sum = static_cast<std::uint16_t>(sum + piece[k]);
    for (std::size_t k = 0; k < kPiece; ++k) count = static_cast<std::uint8_t>(count + (piece[k] != 0 ? 1 : 0));
    sums[i] = sum;
    counts[i] = count;
  }
}

void range(const std::uint8_t* __restrict symbols, std::size_t count, std::uint8_t& low, std::uint8_t& high) {
  std::uint8_t least = symbols[0];
  std::uint8_t greatest = symbols[0];
  for (std::size_t i = 0; i < count; ++i) {
    least = symbols[i] < least ? symbols[i] : least;
    greatest = symbols[i] > greatest ? symbols[i] : greatest;
  }
  low = least;
  high = greatest;
}

std::int32_t correlate(const std::int16_t* a, const std::int16_t* b, std::size_t count) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}
