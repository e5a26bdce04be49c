// A small model, really trained: predicts the next character of a text from those before it, with two hidden layers and
// AdamW. Writes checkpoints as safetensors, as training programs do, so that what `mmh pack --base` makes of
// checkpoints can be measured anywhere. The learning rate falls along half a cosine.
//
//   train OUT_DIRECTORY TEXT [FIRST_STEP] [STEPS_BETWEEN] [CHECKPOINTS] [LEARNING_RATE]
//
// Each checkpoint is a directory step-NNNNN with model.safetensors (fp32), optimizer.safetensors (both moments, fp32)
// and half.safetensors (bf16).
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kSymbols = 128;
constexpr std::size_t kContext = 8;
constexpr std::size_t kEmbedding = 32;
constexpr std::size_t kHidden[] = {1024, 512};
constexpr std::size_t kBatch = 32;

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {  // splitmix64
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  float uniform() { return static_cast<float>(next() >> 40) / static_cast<float>(1u << 24); }
  float normal() {
    float sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::uint64_t state_;
};

// Weights with their gradient and the moments that AdamW keeps of it.
struct Tensor {
  std::string name;
  std::size_t rows, columns;
  std::vector<float> value, gradient, mean, variance;

  Tensor(std::string called, std::size_t r, std::size_t c, float scale, Random& random)
      : name(std::move(called)), rows(r), columns(c), value(r * c), gradient(r * c), mean(r * c), variance(r * c) {
    for (float& v : value) v = scale * random.normal();
  }
  float* row(std::size_t r) { return value.data() + r * columns; }
  float* gradient_row(std::size_t r) { return gradient.data() + r * columns; }

  void step(float rate, std::size_t count) {
    constexpr float kBeta1 = 0.9f, kBeta2 = 0.999f, kEpsilon = 1e-8f, kDecay = 0.01f;
    const auto n = static_cast<float>(count);
    const float mean_bias = 1 - std::pow(kBeta1, n);
    const float variance_bias = 1 - std::pow(kBeta2, n);
    for (std::size_t i = 0; i < value.size(); ++i) {
      mean[i] = kBeta1 * mean[i] + (1 - kBeta1) * gradient[i];
      variance[i] = kBeta2 * variance[i] + (1 - kBeta2) * gradient[i] * gradient[i];
      const float change = (mean[i] / mean_bias) / (std::sqrt(variance[i] / variance_bias) + kEpsilon);
      value[i] -= rate * (change + kDecay * value[i]);
      gradient[i] = 0;
    }
  }
};

struct Layer {
  Tensor weight, bias;
  Layer(const std::string& name, std::size_t in, std::size_t out, Random& random)
      : weight(name + ".weight", out, in, std::sqrt(2.0f / static_cast<float>(in)), random),
        bias(name + ".bias", 1, out, 0, random) {}

  void forward(const std::vector<float>& in, std::vector<float>& out) {
    out.resize(weight.rows);
    for (std::size_t r = 0; r < weight.rows; ++r) {
      const float* const w = weight.row(r);
      std::array<float, 8> sums{};
      for (std::size_t c = 0; c < weight.columns; c += sums.size()) {
        for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += w[c + k] * in[c + k];
      }
      float sum = bias.value[r];
      for (const float part : sums) sum += part;
      out[r] = sum;
    }
  }
  // `slope` is of the output; adds that of the input to `in_slope`.
  void backward(const std::vector<float>& in, const std::vector<float>& slope, std::vector<float>& in_slope) {
    in_slope.assign(weight.columns, 0);
    for (std::size_t r = 0; r < weight.rows; ++r) {
      if (slope[r] == 0) continue;
      bias.gradient[r] += slope[r];
      const float* const w = weight.row(r);
      float* const g = weight.gradient_row(r);
      for (std::size_t c = 0; c < weight.columns; ++c) {
        g[c] += slope[r] * in[c];
        in_slope[c] += slope[r] * w[c];
      }
    }
  }
};

class Model {
 public:
  explicit Model(Random& random)
      : embedding_("embedding.weight", kSymbols, kEmbedding, 0.1f, random),
        layers_{Layer("hidden.0", kContext * kEmbedding, kHidden[0], random),
                Layer("hidden.1", kHidden[0], kHidden[1], random), Layer("output", kHidden[1], kSymbols, random)} {}

  // Learns from one place of the text; the loss, in nats.
  float learn(const unsigned char* context, unsigned char next) {
    std::vector<float> in[4];
    for (std::size_t i = 0; i < kContext; ++i) {
      const float* const row = embedding_.row(context[i] % kSymbols);
      in[0].insert(in[0].end(), row, row + kEmbedding);
    }
    for (std::size_t l = 0; l < 3; ++l) {
      layers_[l].forward(in[l], in[l + 1]);
      if (l < 2) {
        for (float& v : in[l + 1]) v = v > 0 ? v : 0;
      }
    }
    float most = in[3][0];
    for (const float v : in[3]) most = v > most ? v : most;
    float sum = 0;
    std::vector<float> slope(kSymbols);
    for (std::size_t i = 0; i < kSymbols; ++i) sum += slope[i] = std::exp(in[3][i] - most);
    for (float& v : slope) v /= sum * kBatch;
    const float loss = -std::log(slope[next % kSymbols] * kBatch);
    slope[next % kSymbols] -= 1.0f / kBatch;
    std::vector<float> in_slope;
    for (std::size_t l = 3; l-- > 0;) {
      layers_[l].backward(in[l], slope, in_slope);
      if (l > 0) {
        for (std::size_t i = 0; i < in_slope.size(); ++i) {
          if (in[l][i] <= 0) in_slope[i] = 0;
        }
      }
      slope = in_slope;
    }
    for (std::size_t i = 0; i < kContext; ++i) {
      float* const row = embedding_.gradient_row(context[i] % kSymbols);
      for (std::size_t k = 0; k < kEmbedding; ++k) row[k] += slope[i * kEmbedding + k];
    }
    return loss;
  }

  void step(float rate, std::size_t count) {
    for (Tensor* const tensor : tensors()) tensor->step(rate, count);
  }

  std::vector<Tensor*> tensors() {
    std::vector<Tensor*> all{&embedding_};
    for (Layer& layer : layers_) {
      all.push_back(&layer.weight);
      all.push_back(&layer.bias);
    }
    return all;
  }

 private:
  Tensor embedding_;
  Layer layers_[3];
};

// Collects tensors and writes them as one safetensors file.
class Safetensors {
 public:
  void add(const std::string& name, const char* type, const Tensor& tensor, const std::string& bytes) {
    if (!header_.empty()) header_ += ',';
    header_ += '"' + name + "\":{\"dtype\":\"" + type + "\",\"shape\":[" + std::to_string(tensor.rows) + "," +
               std::to_string(tensor.columns) + "],\"data_offsets\":[" + std::to_string(data_.size()) + "," +
               std::to_string(data_.size() + bytes.size()) + "]}";
    data_ += bytes;
  }
  bool write(const std::filesystem::path& path) const {
    std::string header = "{" + header_ + "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const std::uint64_t size = header.size();
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&size), sizeof size);
    out << header << data_;
    return static_cast<bool>(out.flush());
  }

 private:
  std::string header_, data_;
};

std::string fp32(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string bf16(const std::vector<float>& values) {
  std::string bytes;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto rounded = static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    bytes.append(reinterpret_cast<const char*>(&rounded), sizeof rounded);
  }
  return bytes;
}

bool save(Model& model, const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  Safetensors whole, half, optimizer;
  for (const Tensor* const tensor : model.tensors()) {
    whole.add(tensor->name, "F32", *tensor, fp32(tensor->value));
    half.add(tensor->name, "BF16", *tensor, bf16(tensor->value));
    optimizer.add(tensor->name + ".exp_avg", "F32", *tensor, fp32(tensor->mean));
    optimizer.add(tensor->name + ".exp_avg_sq", "F32", *tensor, fp32(tensor->variance));
  }
  return whole.write(directory / "model.safetensors") && half.write(directory / "half.safetensors") &&
         optimizer.write(directory / "optimizer.safetensors");
}

int train(const std::filesystem::path& out, const std::string& text, const std::size_t first, const std::size_t between,
          const std::size_t checkpoints, const float peak) {
  Random random(1);
  Model model(random);
  const std::size_t last = first + between * (checkpoints - 1);
  // Half a cosine, to a fiftieth of what it began with: as most runs end.
  constexpr float kPi = 3.14159265f;
  const auto rate_at = [&](std::size_t step) {
    const float done = static_cast<float>(step) / static_cast<float>(last);
    return peak * (0.02f + 0.98f * 0.5f * (1 + std::cos(kPi * done)));
  };
  float average = 0;
  for (std::size_t step = 1; step <= last; ++step) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      const std::size_t at = random.next() % (text.size() - kContext);
      const auto* const context = reinterpret_cast<const unsigned char*>(text.data()) + at;
      const float loss = model.learn(context, context[kContext]);
      average += (loss - average) / static_cast<float>(step == 1 ? i + 1 : 500);
    }
    model.step(rate_at(step), step);
    if (step < first || (step - first) % between != 0) continue;
    char name[32];
    std::snprintf(name, sizeof name, "step-%05zu", step);
    if (!save(model, out / name)) {
      std::fprintf(stderr, "train: cannot write %s\n", (out / name).c_str());
      return 1;
    }
    std::printf("%s: loss %.3f\n", name, static_cast<double>(average));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr,
                 "usage: train OUT_DIRECTORY TEXT [FIRST_STEP] [STEPS_BETWEEN] [CHECKPOINTS] [LEARNING_RATE]\n");
    return 2;
  }
  std::ifstream in(argv[2], std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  if (text.size() <= kContext) {
    std::fprintf(stderr, "train: cannot read a text from %s\n", argv[2]);
    return 1;
  }
  const auto number = [&](int index, std::size_t fallback) {
    const long given = argc > index ? std::strtol(argv[index], nullptr, 10) : static_cast<long>(fallback);
    return given < 1 ? std::size_t{1} : static_cast<std::size_t>(given);
  };
  const float rate = argc > 6 ? std::strtof(argv[6], nullptr) : 3e-4f;
  return train(argv[1], text, number(3, 300), number(4, 5), number(5, 3), rate);
}
