#pragma once
// Packs built by hand from blocks and records, without the packing engine.

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mmh/base/files.h"
#include "mmh/codec/registry.h"
#include "mmh/pack/manifest.h"
#include "mmh/pack/pack_file.h"
#include "mmh/pack/reader.h"
#include "support/support.h"

namespace mmh::test {

/// Keeps what is written.
class MemorySink : public ByteSink {
 public:
  Result<> write(ByteView in) override {
    append(bytes, in);
    ++writes;
    return {};
  }
  Buffer bytes;
  std::size_t writes = 0;
};

/// Counts reads and their bytes.
class CountingSource : public RandomAccessSource {
 public:
  struct Counts {
    std::atomic<std::uint64_t> reads{0};
    std::atomic<std::uint64_t> bytes{0};
  };
  CountingSource(ByteView bytes, Counts& counts) : inner_(memory_source(bytes, "x.mmh")), counts_(counts) {}
  std::uint64_t size() const override { return inner_->size(); }
  const std::string& name() const override { return inner_->name(); }
  Result<> read_at(std::uint64_t offset, Bytes out) const override {
    ++counts_.reads;
    counts_.bytes += out.size();
    return inner_->read_at(offset, out);
  }

 private:
  std::unique_ptr<RandomAccessSource> inner_;
  Counts& counts_;
};

/// No codecs: stored frames need none.
const codec::Registry& no_codecs();
hash::Digest digest_of(ByteView bytes);

pack::FileRecord make_directory(std::string path);
pack::FileRecord make_symlink(std::string path, std::string target);
pack::FileRecord make_hard_link(std::string path, std::string target);
/// A regular file. Its size is that of the content; the extents may come later.
pack::FileRecord make_file(std::string path, ByteView content, std::vector<pack::Extent> extents = {});

/// Writes one generation of a pack. Failures end the test program: the writer is not what such a test is about.
class PackMaker {
 public:
  PackMaker();
  /// Appends to a pack. `bytes` is the whole pack that `existing` reads.
  PackMaker(const Buffer& bytes, const pack::Reader& existing);
  std::uint64_t add_block(ByteView raw, pack::BlockType type = pack::BlockType::data);
  std::uint64_t add_frame(ByteView frame, std::uint64_t raw_size, pack::BlockType type = pack::BlockType::data);
  /// Keeps a record for finish(), which sorts them.
  void add(pack::FileRecord record);
  /// A file whose content is a block of its own.
  void add_file(const std::string& path, ByteView content);
  pack::Trailer finish();
  /// With a manifest that was stored by hand.
  pack::Trailer finish(const pack::PageReference& top, unsigned height);
  const Buffer& bytes() const { return sink_.bytes; }

 private:
  MemorySink sink_;
  std::unique_ptr<pack::PackFileWriter> writer_;
  std::vector<pack::FileRecord> records_;
};

Result<std::unique_ptr<pack::Reader>> open_bytes(ByteView bytes, pack::ReaderOptions options = {});

/// A small pack with every kind of entry: files within one block, across blocks, sparse, empty; links; a device;
/// attributes.
struct Sample {
  Buffer bytes;
  std::map<std::string, Buffer> contents;  // by path, of regular files
};
Sample sample_pack();
/// The same with a second generation: one entry replaced, one added.
Sample sample_pack_appended();

/// Reads everything the pack yields, and fails the test where a file comes out with other bytes than `sample` has.
/// Gives the paths that could not be read.
std::set<std::string> read_all(const pack::Reader& reader, const Sample& sample);

}  // namespace mmh::test
