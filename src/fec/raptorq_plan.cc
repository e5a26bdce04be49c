#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "implementation.h"
#include "kernels.h"
#include "raptorq_code.h"
#include "raptorq_solver.h"

namespace mmh::fec {
namespace {

constexpr std::size_t kHugePage = 2 << 20;

struct AlignedDelete {
  std::align_val_t alignment;
  void operator()(std::byte* place) const { ::operator delete(place, alignment); }
};
using AlignedBuffer = std::unique_ptr<std::byte, AlignedDelete>;

AlignedBuffer aligned_buffer(std::size_t size) {
  // Rows are read in no order: in huge pages, that costs fewer address translations, and less of them conflict in the
  // cache.
  const bool huge = size >= kHugePage / 2;
  const std::align_val_t alignment{huge ? kHugePage : kSliceAlignment};
  if (huge) size = (size + kHugePage - 1) / kHugePage * kHugePage;
  AlignedBuffer buffer(static_cast<std::byte*>(::operator new(size, alignment)), AlignedDelete{alignment});
  if (huge) ::madvise(buffer.get(), size, MADV_HUGEPAGE);
  return buffer;
}

/// Sums being written down. Each takes a multiple of four rows, with a row of zeros in the gaps: half of the sums are
/// of two to four rows, and a processor that cannot foresee how many loses more time than the zeros take.
struct SumList {
  explicit SumList(std::size_t zeros) : zero_row(static_cast<std::uint16_t>(zeros)) {}

  std::uint16_t zero_row;
  std::vector<std::uint16_t> to;
  std::vector<std::uint16_t> inputs;
  std::vector<std::uint16_t> code;

  /// Adds a sum of those of `columns` that `take` wants.
  template <class Take>
  void append(std::size_t target, std::uint16_t input, std::span<const std::uint16_t> columns, const Take& take) {
    to.push_back(static_cast<std::uint16_t>(target));
    inputs.push_back(input);
    const std::size_t count_at = code.size();
    code.push_back(0);
    for (const std::uint16_t column : columns) {
      if (take(column)) code.push_back(column);
    }
    while ((code.size() - count_at - 1) % 4 != 0) code.push_back(zero_row);
    code[count_at] = static_cast<std::uint16_t>(code.size() - count_at - 1);
  }

  Sums view() const { return {to.size(), to.data(), inputs.data(), code.data()}; }
  std::size_t memory_bytes() const { return 2 * (to.capacity() + inputs.capacity() + code.capacity()); }
  void shrink() {
    to.shrink_to_fit();
    inputs.shrink_to_fit();
    code.shrink_to_fit();
  }
};

/// Rows: the intermediate symbols, then the residues, then those of HDPC, then zeros. For each slice, in this order:
/// - forward: every pivot as if the inactive symbols were 0, and the residues;
/// - the symbols wanted, of these values;
/// - the inactive symbols;
/// - backward: what these change about each pivot that the symbols wanted depend on;
/// - the symbols wanted, of these changes.
/// So each slice of a symbol received, which is far away in memory, is read once only.
class Raptorq final : public Plan::Implementation {
 public:
  Raptorq(const RaptorqEquations& equations, const RaptorqSolution& solution, std::vector<std::uint32_t> used,
          std::span<const std::uint32_t> wanted)
      : parameters_(equations.parameters()),
        used_(std::move(used)),
        pairs_(solution.free.empty() ? std::vector<std::uint8_t>() : hdpc_pairs(parameters_)),
        solved_(solution.solved),
        picks_(solution.picks),
        free_(solution.free),
        free_picks_(solution.free_picks),
        free_factors_(solution.free_factors),
        first_hdpc_row_(parameters_.l + solution.residual_rows.size()),
        rows_(first_hdpc_row_ + parameters_.h + 1),
        width_(rows_ * 128 <= kSlicesMax ? 128 : 64),
        forward_(rows_ - 1),
        backward_(rows_ - 1),
        outputs_before_(rows_ - 1),
        outputs_after_(rows_ - 1) {
    const auto input_of = [&](std::size_t row) {
      // The zero symbols come first among the rows of encoding symbols.
      const std::size_t zeros = parameters_.s + (parameters_.k_padded - parameters_.k);
      return row < zeros ? Sums::kNoInput : static_cast<std::uint16_t>(row - zeros);
    };
    const auto is_pivot = [&](std::uint16_t column) { return solution.step_of[column] != RaptorqSolution::kInactive; };
    const std::size_t steps = solution.pivot_columns.size();
    for (std::size_t step = 0; step < steps; ++step) {
      const std::uint16_t own = solution.pivot_columns[step];
      const std::size_t row = solution.pivot_rows[step];
      forward_.append(own, input_of(row), equations[row],
                      [&](std::uint16_t column) { return column != own && is_pivot(column); });
    }
    for (std::size_t i = 0; i < solution.residual_rows.size(); ++i) {
      const std::size_t row = solution.residual_rows[i];
      residues_.push_back(static_cast<std::uint16_t>(parameters_.l + i));
      forward_.append(parameters_.l + i, input_of(row), equations[row], is_pivot);
    }

    std::vector<std::uint16_t> neighbours;
    std::vector<bool> needed(parameters_.l);
    for (const std::uint32_t symbol : wanted) {
      neighbours.clear();
      append_neighbours(parameters_, parameters_.internal(symbol), neighbours);
      for (const std::uint16_t column : neighbours) needed[column] = true;
      outputs_before_.append(0, Sums::kNoInput, neighbours, is_pivot);
      outputs_after_.append(0, Sums::kNoInput, neighbours, [](std::uint16_t) { return true; });
    }
    std::vector<std::size_t> backward_steps;
    for (std::size_t step = steps; step-- > 0;) {
      if (!needed[solution.pivot_columns[step]]) continue;
      backward_steps.push_back(step);
      for (const std::uint16_t column : equations[solution.pivot_rows[step]]) needed[column] = true;
    }
    for (auto step = backward_steps.rbegin(); step != backward_steps.rend(); ++step) {
      const std::uint16_t own = solution.pivot_columns[*step];
      const std::size_t row = solution.pivot_rows[*step];
      backward_.append(own, Sums::kNoInput, equations[row], [&](std::uint16_t column) { return column != own; });
    }
    forward_.shrink();
    backward_.shrink();
    outputs_before_.shrink();
    outputs_after_.shrink();
  }

  Result<> run(const Kernels& kernels, std::span<const std::byte* const> received, std::span<std::byte* const> wanted,
               std::size_t size) const override {
    if (wanted.empty() || size == 0) return {};
    std::vector<const std::byte*> inputs;
    inputs.reserve(used_.size());
    for (const std::uint32_t index : used_) inputs.push_back(received[index]);
    Work work(*this);
    std::size_t at = 0;
    for (; at + width_ <= size; at += width_) run_slice(kernels, work, inputs.data(), wanted.data(), at, width_);
    for (; at + kSliceAlignment <= size; at += kSliceAlignment) {
      run_slice(kernels, work, inputs.data(), wanted.data(), at, kSliceAlignment);
    }
    if (at < size) run_end(kernels, work, inputs, wanted, at, size - at);
    return {};
  }

  std::size_t memory_bytes() const override {
    return sizeof *this + used_.capacity() * sizeof used_[0] + pairs_.capacity() + picks_.capacity() +
           2 * (solved_.capacity() + free_.capacity() + residues_.capacity()) + free_picks_.capacity() +
           free_factors_.memory_bytes() + forward_.memory_bytes() + backward_.memory_bytes() +
           outputs_before_.memory_bytes() + outputs_after_.memory_bytes();
  }

  std::size_t scratch_bytes() const override {
    return rows_ * width_ + (rows_ * width_ >= kHugePage / 2 ? kHugePage : 0) + kSelectionScratch +
           kSliceAlignment * (used_.size() + outputs_before_.to.size()) +
           sizeof(void*) * (2 * used_.size() + outputs_before_.to.size() + rows_);
  }

 private:
  /// The slices of all rows are to fit the second-level cache of a processor core of the day. Then 128 bytes, two lines
  /// of the cache, cost little more than one.
  static constexpr std::size_t kSlicesMax = 2 << 20;

  struct Work {
    explicit Work(const Raptorq& plan)
        : rows(aligned_buffer(plan.rows_ * plan.width_)), selection(aligned_buffer(kSelectionScratch)) {}
    AlignedBuffer rows;
    AlignedBuffer selection;
    std::vector<const std::byte*> sources;
    std::vector<std::byte*> targets;
  };

  void run_slice(const Kernels& kernels, Work& work, const std::byte* const* inputs, std::byte* const* outputs,
                 std::size_t at, std::size_t width) const {
    std::byte* rows = work.rows.get();
    std::memset(rows + (rows_ - 1) * width, 0, width);
    kernels.sum(forward_.view(), rows, width, inputs, nullptr, at);
    kernels.sum(outputs_before_.view(), rows, width, nullptr, outputs, at);
    if (!free_.empty()) {
      // The recurrence passes over all columns; those inactive count for nothing yet.
      for (const auto* list : {&solved_, &free_}) {
        for (const std::uint16_t column : *list) std::memset(rows + column * width, 0, width);
      }
      kernels.recur({parameters_.k_padded + parameters_.s, pairs_.data(), parameters_.h, first_hdpc_row_}, rows, width);
    }
    kernels.select({residues_.data(), residues_.size(), solved_.data(), solved_.size(), picks_.data(), false}, rows,
                   width, work.selection.get());
    if (!free_.empty()) {
      work.sources.clear();
      work.targets.clear();
      for (std::size_t i = 0; i < parameters_.h; ++i) {
        work.sources.push_back(rows + (first_hdpc_row_ + i) * width);
      }
      for (const std::uint16_t column : solved_) work.sources.push_back(rows + column * width);
      for (const std::uint16_t column : free_) work.targets.push_back(rows + column * width);
      kernels.combine({free_factors_[0].data(), work.sources.size(), work.targets.size()}, work.sources.data(),
                      work.targets.data(), width);
      kernels.select({free_.data(), free_.size(), solved_.data(), solved_.size(), free_picks_.data(), true}, rows,
                     width, work.selection.get());
    }
    kernels.sum(backward_.view(), rows, width, nullptr, nullptr, at);
    Sums changes = outputs_after_.view();
    changes.add = true;
    kernels.sum(changes, rows, width, nullptr, outputs, at);
  }

  /// The last bytes of symbols that are not whole slices, by way of copies that are.
  void run_end(const Kernels& kernels, Work& work, std::span<const std::byte* const> inputs,
               std::span<std::byte* const> wanted, std::size_t at, std::size_t size) const {
    constexpr std::size_t kWidth = kSliceAlignment;
    const AlignedBuffer copies = aligned_buffer((inputs.size() + wanted.size()) * kWidth);
    std::memset(copies.get(), 0, inputs.size() * kWidth);
    std::vector<const std::byte*> from;
    std::vector<std::byte*> to;
    std::byte* place = copies.get();
    for (const std::byte* input : inputs) {
      std::memcpy(place, input + at, size);
      from.push_back(place);
      place += kWidth;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i, place += kWidth) to.push_back(place);
    run_slice(kernels, work, from.data(), to.data(), 0, kWidth);
    for (std::size_t i = 0; i < wanted.size(); ++i) std::memcpy(wanted[i] + at, to[i], size);
  }

  RaptorqParameters parameters_;
  std::vector<std::uint32_t> used_;  ///< Positions among those received.
  std::vector<std::uint8_t> pairs_;
  std::vector<std::uint16_t> residues_;
  std::vector<std::uint16_t> solved_;
  std::vector<std::uint8_t> picks_;
  std::vector<std::uint16_t> free_;
  std::vector<std::uint8_t> free_picks_;
  Matrix free_factors_;
  std::size_t first_hdpc_row_;
  std::size_t rows_;
  std::size_t width_;
  SumList forward_;
  SumList backward_;
  SumList outputs_before_;
  SumList outputs_after_;
};

}  // namespace

ImplementationResult make_raptorq(std::uint32_t k, std::span<const std::uint32_t> received,
                                  std::span<const std::uint32_t> wanted) {
  const RaptorqParameters parameters(k);
  if (received.size() < k) {
    return fail(Errc::corrupt, "only " + std::to_string(received.size()) + " of the " + std::to_string(k) +
                                   " symbols that rebuilding takes are left");
  }
  // Source symbols first, as received; then repair symbols. Each symbol above k makes failure 256 times less likely.
  constexpr std::size_t kExtra = 10;
  std::vector<std::uint32_t> order;
  order.reserve(received.size());
  for (const bool source : {true, false}) {
    for (std::uint32_t i = 0; i < received.size(); ++i) {
      if ((received[i] < k) == source) order.push_back(i);
    }
  }
  const std::size_t enough = std::min(received.size(), k + kExtra);
  const std::size_t all = std::min(received.size(), std::size_t{Sums::kNoInput});
  for (const std::size_t count : {enough, all}) {
    std::vector<std::uint32_t> symbols;
    symbols.reserve(parameters.k_padded - k + count);
    for (std::uint32_t zero = k; zero < parameters.k_padded; ++zero) symbols.push_back(zero);
    for (std::size_t i = 0; i < count; ++i) symbols.push_back(parameters.internal(received[order[i]]));
    const RaptorqEquations equations(parameters, symbols);
    if (const std::optional<RaptorqSolution> solution = solve(equations)) {
      order.resize(count);
      auto plan = std::make_shared<Raptorq>(equations, *solution, std::move(order), wanted);
      plan->received_count = received.size();
      plan->wanted_count = wanted.size();
      return plan;
    }
    if (count == received.size()) break;
  }
  return fail(Errc::corrupt, "the " + std::to_string(received.size()) +
                                 " symbols left do not determine the block; one more would almost surely do");
}

}  // namespace mmh::fec
