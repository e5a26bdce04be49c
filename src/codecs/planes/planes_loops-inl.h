// The loops of planes_kernels.h, for the namespace and instruction set that include them.

template <class T>
inline T rotate_left(T value, unsigned bits) {
  constexpr unsigned kBits = 8 * sizeof(T);
  return static_cast<T>(value << bits | value >> ((kBits - bits) % kBits));
}

// A tile of the numbers at a time, so that each plane is written from what the first level of the cache holds.
inline constexpr std::size_t kTile = 1024;

template <class T>
void split_numbers(const std::uint8_t* __restrict in, std::size_t count, unsigned rotate, const PlanesOut& planes) {
  T tile[kTile];
  for (std::size_t begin = 0; begin < count; begin += kTile) {
    const std::size_t size = count - begin < kTile ? count - begin : kTile;
    std::memcpy(tile, in + begin * sizeof(T), size * sizeof(T));
    for (std::size_t i = 0; i < size; ++i) tile[i] = rotate_left(tile[i], rotate);
    for (std::size_t plane = 0; plane < sizeof(T); ++plane) {
      std::uint8_t* const __restrict out = planes[plane] + begin;
      for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(tile[i] >> (8 * plane));
    }
  }
}

template <class T>
void join_numbers(const PlanesIn& planes, std::size_t count, unsigned rotate, std::uint8_t* __restrict out) {
  constexpr unsigned kBits = 8 * sizeof(T);
  const unsigned back = (kBits - rotate) % kBits;
  T tile[kTile];
  for (std::size_t begin = 0; begin < count; begin += kTile) {
    const std::size_t size = count - begin < kTile ? count - begin : kTile;
    const std::uint8_t* const __restrict low = planes[0] + begin;
    if constexpr (sizeof(T) == 1) {
      for (std::size_t i = 0; i < size; ++i) tile[i] = low[i];
    } else {
      const std::uint8_t* const __restrict next = planes[1] + begin;
      for (std::size_t i = 0; i < size; ++i) tile[i] = static_cast<T>(low[i] | static_cast<T>(T{next[i]} << 8));
    }
    for (std::size_t plane = 2; plane < sizeof(T); ++plane) {
      const std::uint8_t* const __restrict from = planes[plane] + begin;
      for (std::size_t i = 0; i < size; ++i)
        tile[i] = static_cast<T>(tile[i] | static_cast<T>(T{from[i]} << (8 * plane)));
    }
    for (std::size_t i = 0; i < size; ++i) tile[i] = rotate_left(tile[i], back);
    std::memcpy(out + begin * sizeof(T), tile, size * sizeof(T));
  }
}

void split(const std::uint8_t* in, std::size_t count, std::size_t width, unsigned rotate, const PlanesOut& planes) {
  switch (width) {
    case 1:
      return split_numbers<std::uint8_t>(in, count, rotate, planes);
    case 2:
      return split_numbers<std::uint16_t>(in, count, rotate, planes);
    case 4:
      return split_numbers<std::uint32_t>(in, count, rotate, planes);
    case 8:
      return split_numbers<std::uint64_t>(in, count, rotate, planes);
    default:
      for (std::size_t begin = 0; begin < count; begin += kTile) {
        const std::size_t end = count - begin < kTile ? count : begin + kTile;
        for (std::size_t plane = 0; plane < width; ++plane) {
          std::uint8_t* const out = planes[plane];
          for (std::size_t i = begin; i < end; ++i) out[i] = in[i * width + plane];
        }
      }
  }
}

void join(const PlanesIn& planes, std::size_t count, std::size_t width, unsigned rotate, std::uint8_t* out) {
  switch (width) {
    case 1:
      return join_numbers<std::uint8_t>(planes, count, rotate, out);
    case 2:
      return join_numbers<std::uint16_t>(planes, count, rotate, out);
    case 4:
      return join_numbers<std::uint32_t>(planes, count, rotate, out);
    case 8:
      return join_numbers<std::uint64_t>(planes, count, rotate, out);
    default:
      for (std::size_t begin = 0; begin < count; begin += kTile) {
        const std::size_t end = count - begin < kTile ? count : begin + kTile;
        for (std::size_t plane = 0; plane < width; ++plane) {
          const std::uint8_t* const from = planes[plane];
          for (std::size_t i = begin; i < end; ++i) out[i * width + plane] = from[i];
        }
      }
  }
}
