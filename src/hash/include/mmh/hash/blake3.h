#pragma once
// BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs): hash, keyed hash, key derivation; one-shot, incremental,
// parallel.

#include <array>
#include <cstdint>
#include <string_view>

#include "mmh/base/bytes.h"
#include "mmh/base/task_pool.h"
#include "mmh/hash/digest.h"

namespace mmh::hash {

using Key = std::array<std::byte, 32>;
/// The eight state words of an inner node or chunk, before the root is known.
using ChainingValue = std::array<std::uint32_t, 8>;

inline constexpr std::size_t kBlake3ChunkSize = 1024;

/// An incremental BLAKE3 state. Copyable: a copy hashes on from the same point.
class Blake3 {
 public:
  Blake3();
  static Blake3 keyed(const Key& key);
  /// `context`: a hard-coded, globally unique string, as the specification asks; the input is the key material.
  static Blake3 derive_key(std::string_view context);

  Blake3& update(ByteView input);
  /// Adds a whole subtree that blake3_subtree() hashed elsewhere. Requires: `size` is kBlake3ChunkSize times a power of
  /// two and the bytes added so far are a multiple of `size`. Plain (unkeyed) mode only. One pushed subtree alone is
  /// not an input: finish() requires that something else was added too, since a chaining value cannot become a root.
  /// Hash an input of one subtree with blake3().
  Blake3& push_subtree(const ChainingValue& value, std::uint64_t size);

  /// The digest of what was added; the state may be updated further.
  Digest finish() const;
  /// Extended output: fills `out` with the bytes from `offset` on.
  void finish_extended(Bytes out, std::uint64_t offset = 0) const;
  std::uint64_t bytes_added() const;

 private:
  // 2^64 bytes are 2^54 chunks: a node for each bit of their count, and one that is not merged yet.
  static constexpr std::size_t kStackMax = 55;
  Blake3(const ChainingValue& key, std::uint32_t flags);
  /// Merges what is complete on the stack. Only when more follows: until then, the last merge may make the root.
  void merge_complete();
  void push_node(const ChainingValue& value, std::uint64_t chunks);
  void flush_chunk();

  ChainingValue key_;
  std::uint32_t flags_;
  std::size_t stack_size_ = 0;
  std::size_t chunk_used_ = 0;     // a full chunk stays until more follows, for it may be the root
  std::uint64_t chunks_done_ = 0;  // on the stack
  std::array<ChainingValue, kStackMax> stack_;
  std::array<std::byte, kBlake3ChunkSize> chunk_;
};

/// The digest of `input`, on the calling thread.
Digest blake3(ByteView input);
/// The same, by the threads of `pool`. Not to be called from a task of that pool.
Digest blake3(ByteView input, TaskPool& pool);
/// The chaining value of a whole non-root subtree, for push_subtree(). `offset` is where `input` begins in the hashed
/// bytes. Requires: input.size() is kBlake3ChunkSize times a power of two and divides `offset`.
ChainingValue blake3_subtree(ByteView input, std::uint64_t offset);

/// The instruction set that is in use, such as "AVX3"; for `mmh version`.
std::string_view blake3_target();

}  // namespace mmh::hash
