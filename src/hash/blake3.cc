#include "mmh/hash/blake3.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <deque>
#include <utility>

#include "blake3_kernels.h"
#include "mmh/base/check.h"

namespace mmh::hash {
namespace detail {
namespace {
std::atomic<const Kernels*> chosen_kernels = nullptr;
}

const Kernels& kernels() {
  const Kernels* chosen = chosen_kernels.load(std::memory_order_relaxed);
  if (chosen == nullptr) [[unlikely]] {
    chosen = best_kernels();
    chosen_kernels.store(chosen, std::memory_order_relaxed);
  }
  return *chosen;
}

void use_kernels(const Kernels* chosen) { chosen_kernels.store(chosen, std::memory_order_relaxed); }
}  // namespace detail

namespace {

using namespace detail;

/// The last compression of a node, held back until it is known whether the node is the root.
struct Node {
  ChainingValue value;
  std::array<std::byte, kBlockSize> block;
  std::uint32_t size;
  std::uint64_t counter;
  std::uint32_t flags;

  ChainingValue chaining_value() const {
    std::array<std::uint32_t, 16> words;
    kernels().compress(value, block.data(), size, counter, flags, words.data());
    ChainingValue out;
    std::copy_n(words.begin(), out.size(), out.begin());
    return out;
  }
  /// The 64 bytes number `index` of the extended output.
  void root_bytes(std::uint64_t index, std::uint32_t* words) const {
    kernels().compress(value, block.data(), size, index, flags | kRoot, words);
  }
  Digest digest() const {
    std::array<std::uint32_t, 16> words;
    root_bytes(0, words.data());
    Digest out;
    std::memcpy(out.bytes.data(), words.data(), out.bytes.size());
    return out;
  }
};

/// Requires: chunk.size() <= kBlake3ChunkSize.
Node chunk_node(ByteView chunk, std::uint64_t index, const ChainingValue& key, std::uint32_t flags) {
  const std::size_t blocks_before_last = chunk.empty() ? 0 : (chunk.size() - 1) / kBlockSize;
  Node node;
  node.counter = index;
  node.flags = flags | kChunkEnd;
  if (blocks_before_last == 0) {
    node.value = key;
    node.flags |= kChunkStart;
  } else {
    kernels().hash_many(key, {chunk.data(), 1, blocks_before_last, index, 0, flags, kChunkStart, 0}, &node.value);
  }
  const ByteView last = chunk.subspan(blocks_before_last * kBlockSize);
  node.size = static_cast<std::uint32_t>(last.size());
  if (!last.empty()) std::memcpy(node.block.data(), last.data(), last.size());
  std::memset(node.block.data() + last.size(), 0, kBlockSize - last.size());
  return node;
}

Node parent_node(const ChainingValue& left, const ChainingValue& right, const ChainingValue& key, std::uint32_t flags) {
  Node node;
  node.value = key;
  std::memcpy(node.block.data(), left.data(), sizeof left);
  std::memcpy(node.block.data() + sizeof left, right.data(), sizeof right);
  node.size = kBlockSize;
  node.counter = 0;
  node.flags = flags | kParent;
  return node;
}

/// The chaining values of `count` chunks that lie one after the other.
void hash_chunks(const std::byte* data, std::size_t count, std::uint64_t index, const ChainingValue& key,
                 std::uint32_t flags, ChainingValue* out) {
  kernels().hash_many(key, {data, count, kBlocksPerChunk, index, 1, flags, kChunkStart, kChunkEnd}, out);
}

/// Replaces the first `count` nodes by their parents, one level up; the last of an odd number moves up as it is.
/// Returns the number of nodes then.
std::size_t merge_level(ChainingValue* nodes, std::size_t count, const ChainingValue& key, std::uint32_t flags) {
  const std::size_t pairs = count / 2;
  kernels().hash_many(key, {reinterpret_cast<const std::byte*>(nodes), pairs, 1, 0, 0, flags | kParent, 0, 0}, nodes);
  if (count % 2 != 0) nodes[pairs] = nodes[count - 1];
  return pairs + count % 2;
}

/// The top nodes of a subtree: at most kLanesMax of them, at least 2 where there is more than one chunk. Staying wide
/// keeps every lane busy on all levels below. Requires: input not empty; room for kLanesMax nodes.
std::size_t hash_wide(ByteView input, std::uint64_t index, const ChainingValue& key, std::uint32_t flags,
                      ChainingValue* out) {
  constexpr std::size_t kLeafSize = kLanesMax * kBlake3ChunkSize;
  if (input.size() <= kLeafSize) {
    const std::size_t whole = input.size() / kBlake3ChunkSize;
    if (whole > 0) hash_chunks(input.data(), whole, index, key, flags, out);
    const ByteView rest = input.subspan(whole * kBlake3ChunkSize);
    if (rest.empty()) return whole;
    out[whole] = chunk_node(rest, index + whole, key, flags).chaining_value();
    return whole + 1;
  }
  // The left subtree is the largest complete one that leaves something for the right.
  const std::size_t left_size = std::bit_floor((input.size() - 1) / kBlake3ChunkSize) * kBlake3ChunkSize;
  ChainingValue nodes[2 * kLanesMax];
  const std::size_t left = hash_wide(input.first(left_size), index, key, flags, nodes);
  const std::size_t right =
      hash_wide(input.subspan(left_size), index + left_size / kBlake3ChunkSize, key, flags, nodes + left);
  const std::size_t count = merge_level(nodes, left + right, key, flags);
  std::copy_n(nodes, count, out);
  return count;
}

/// Merges nodes until two are left, the children of the top.
void merge_to_pair(ChainingValue* nodes, std::size_t count, const ChainingValue& key, std::uint32_t flags) {
  while (count > 2) count = merge_level(nodes, count, key, flags);
}

/// The two children of the top of a subtree of more than one chunk.
std::pair<ChainingValue, ChainingValue> hash_to_pair(ByteView input, std::uint64_t index, const ChainingValue& key,
                                                     std::uint32_t flags) {
  ChainingValue nodes[kLanesMax];
  merge_to_pair(nodes, hash_wide(input, index, key, flags, nodes), key, flags);
  return {nodes[0], nodes[1]};
}

/// The chunks of the largest complete subtree that begins at chunk `index` and has at most `most` chunks.
std::size_t complete_subtree(std::uint64_t index, std::size_t most) {
  const std::size_t largest = std::bit_floor(most);
  return index % largest == 0 ? largest : std::size_t{1} << std::countr_zero(index);
}

ChainingValue key_words(ByteView key) {
  ChainingValue words;
  std::memcpy(words.data(), key.data(), sizeof words);
  return words;
}

}  // namespace

Blake3::Blake3(const ChainingValue& key, std::uint32_t flags) : key_(key), flags_(flags) {}

Blake3::Blake3() : Blake3(kInitialValue, 0) {}

Blake3 Blake3::keyed(const Key& key) { return Blake3(key_words(key), kKeyedHash); }

Blake3 Blake3::derive_key(std::string_view context) {
  const Digest context_key = Blake3(kInitialValue, kDeriveKeyContext).update(as_bytes(context)).finish();
  return Blake3(key_words(context_key.view()), kDeriveKeyMaterial);
}

void Blake3::merge_complete() {
  // One node for each bit of the chunks before what follows.
  while (stack_size_ > static_cast<std::size_t>(std::popcount(chunks_done_))) {
    stack_[stack_size_ - 2] =
        parent_node(stack_[stack_size_ - 2], stack_[stack_size_ - 1], key_, flags_).chaining_value();
    --stack_size_;
  }
}

void Blake3::push_node(const ChainingValue& value, std::uint64_t chunks) {
  merge_complete();
  stack_[stack_size_++] = value;
  chunks_done_ += chunks;
}

void Blake3::flush_chunk() {
  if (chunk_used_ < kBlake3ChunkSize) return;
  push_node(chunk_node(chunk_, chunks_done_, key_, flags_).chaining_value(), 1);
  chunk_used_ = 0;
}

Blake3& Blake3::update(ByteView input) {
  if (input.empty()) return *this;
  if (chunk_used_ > 0) {
    const std::size_t taken = std::min(input.size(), kBlake3ChunkSize - chunk_used_);
    if (taken > 0) std::memcpy(chunk_.data() + chunk_used_, input.data(), taken);
    chunk_used_ += taken;
    input = input.subspan(taken);
    if (input.empty()) return *this;
    flush_chunk();
  }
  // What is pushed here may end the input: two nodes or more are pushed then, so that the root is still to be made.
  while (input.size() > kBlake3ChunkSize) {
    const std::size_t whole = input.size() / kBlake3ChunkSize;
    std::size_t taken;
    if (whole >= kLanesMax && chunks_done_ % kLanesMax == 0) {
      taken = complete_subtree(chunks_done_, whole);
      const auto [left, right] = hash_to_pair(input.first(taken * kBlake3ChunkSize), chunks_done_, key_, flags_);
      push_node(left, taken / 2);
      push_node(right, taken / 2);
    } else {
      ChainingValue nodes[kLanesMax];
      taken = std::min<std::size_t>(whole, kLanesMax - chunks_done_ % kLanesMax);
      hash_chunks(input.data(), taken, chunks_done_, key_, flags_, nodes);
      for (std::size_t i = 0; i < taken;) {
        const std::size_t size = complete_subtree(chunks_done_, taken - i);
        merge_to_pair(nodes + i, size, key_, flags_);
        push_node(nodes[i], (size + 1) / 2);
        if (size > 1) push_node(nodes[i + 1], size / 2);
        i += size;
      }
    }
    input = input.subspan(taken * kBlake3ChunkSize);
  }
  if (!input.empty()) {
    merge_complete();
    std::memcpy(chunk_.data(), input.data(), input.size());
    chunk_used_ = input.size();
  }
  return *this;
}

Blake3& Blake3::push_subtree(const ChainingValue& value, std::uint64_t size) {
  flush_chunk();
  const std::uint64_t chunks = size / kBlake3ChunkSize;
  MMH_CHECK(flags_ == 0 && chunk_used_ == 0);
  MMH_CHECK(size % kBlake3ChunkSize == 0 && std::has_single_bit(chunks) && chunks_done_ % chunks == 0);
  push_node(value, chunks);
  return *this;
}

namespace {

/// The root's last compression: the stacked subtrees folded from the right.
Node root_node(const ChainingValue* stack, std::size_t stack_size, ByteView chunk, std::uint64_t chunk_index,
               const ChainingValue& key, std::uint32_t flags) {
  Node node;
  std::size_t left = stack_size;
  if (!chunk.empty() || stack_size == 0) {
    node = chunk_node(chunk, chunk_index, key, flags);
  } else {
    MMH_CHECK(stack_size >= 2);  // a single pushed subtree: its root is unknown
    node = parent_node(stack[stack_size - 2], stack[stack_size - 1], key, flags);
    left -= 2;
  }
  while (left > 0) node = parent_node(stack[--left], node.chaining_value(), key, flags);
  return node;
}

}  // namespace

Digest Blake3::finish() const {
  return root_node(stack_.data(), stack_size_, ByteView(chunk_).first(chunk_used_), chunks_done_, key_, flags_)
      .digest();
}

void Blake3::finish_extended(Bytes out, std::uint64_t offset) const {
  const Node root =
      root_node(stack_.data(), stack_size_, ByteView(chunk_).first(chunk_used_), chunks_done_, key_, flags_);
  while (!out.empty()) {
    std::array<std::uint32_t, kBlockSize / 4> words;
    root.root_bytes(offset / kBlockSize, words.data());
    const std::size_t skipped = offset % kBlockSize;
    const std::size_t taken = std::min(out.size(), kBlockSize - skipped);
    std::memcpy(out.data(), reinterpret_cast<const std::byte*>(words.data()) + skipped, taken);
    out = out.subspan(taken);
    offset += taken;
  }
}

std::uint64_t Blake3::bytes_added() const { return chunks_done_ * kBlake3ChunkSize + chunk_used_; }

Digest blake3(ByteView input) {
  if (input.size() <= kBlake3ChunkSize) return chunk_node(input, 0, kInitialValue, 0).digest();
  const auto [left, right] = hash_to_pair(input, 0, kInitialValue, 0);
  return parent_node(left, right, kInitialValue, 0).digest();
}

ChainingValue blake3_subtree(ByteView input, std::uint64_t offset) {
  const std::size_t chunks = input.size() / kBlake3ChunkSize;
  MMH_CHECK(input.size() % kBlake3ChunkSize == 0 && std::has_single_bit(chunks) && offset % input.size() == 0);
  const std::uint64_t index = offset / kBlake3ChunkSize;
  if (chunks == 1) {
    ChainingValue value;
    hash_chunks(input.data(), 1, index, kInitialValue, 0, &value);
    return value;
  }
  const auto [left, right] = hash_to_pair(input, index, kInitialValue, 0);
  return parent_node(left, right, kInitialValue, 0).chaining_value();
}

Digest blake3(ByteView input, TaskPool& pool) {
  // A task must be worth its hand-over (some microseconds), and the threads must come out about even.
  constexpr std::size_t kTaskSizeMin = std::size_t{128} << 10;
  constexpr std::size_t kTaskSizeMax = std::size_t{2} << 20;
  if (pool.threads() == 1 || input.size() < 2 * kTaskSizeMin) return blake3(input);
  const std::size_t task_size =
      std::clamp(std::bit_floor(input.size() / (std::size_t{4} * pool.threads())), kTaskSizeMin, kTaskSizeMax);

  struct Piece {
    TaskPool::Handle task;
    ChainingValue value;
  };
  std::deque<Piece> pieces;  // in input order; bounded, for an input may be terabytes in a mapping
  Blake3 state;
  const auto push_first = [&] {
    pool.wait(pieces.front().task);
    state.push_subtree(pieces.front().value, task_size);
    pieces.pop_front();
  };
  std::size_t offset = 0;
  for (; input.size() - offset >= task_size; offset += task_size) {
    if (pieces.size() >= std::size_t{4} * pool.threads()) push_first();
    Piece& piece = pieces.emplace_back();
    piece.task = pool.submit(
        [&piece, offset, part = input.subspan(offset, task_size)] { piece.value = blake3_subtree(part, offset); });
  }
  while (!pieces.empty()) push_first();
  return state.update(input.subspan(offset)).finish();
}

std::string_view blake3_target() { return kernels().name; }

}  // namespace mmh::hash
