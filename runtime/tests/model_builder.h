// Writes small model files in memory, for the tests and the benchmark.
#ifndef AOIENET_TESTS_MODEL_BUILDER_H_
#define AOIENET_TESTS_MODEL_BUILDER_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace aoie_test {

struct Random {  // xorshift64*
  uint64_t state = 88172645463325252ull;
  uint64_t next() {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717ull;
  }
  float unit() {
    return static_cast<float>(static_cast<int64_t>(next() >> 40) - (1 << 23)) / static_cast<float>(1 << 23);
  }
};

struct ModelFile {
  std::string graph, tensors;
  std::vector<unsigned char> data;
  int count = 0;

  std::string add(const char* dtype, const std::vector<int>& shape, const void* bytes, size_t size) {
    data.resize((data.size() + 63) / 64 * 64, 0);
    const std::string name = "t" + std::to_string(count++);
    tensors += (tensors.empty() ? "\"" : ",\"") + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[";
    for (size_t i = 0; i < shape.size(); ++i) tensors += (i ? "," : "") + std::to_string(shape[i]);
    tensors += "],\"offset\":" + std::to_string(data.size()) + "}";
    const auto* from = static_cast<const unsigned char*>(bytes);
    data.insert(data.end(), from, from + size);
    return "\"" + name + "\"";
  }
  std::string floats(Random& random, const std::vector<int>& shape) {
    size_t n = 1;
    for (int side : shape) n *= static_cast<size_t>(side);
    std::vector<float> values(n);
    for (float& v : values) v = random.unit();
    return add("f32", shape, values.data(), n * 4);
  }
  std::string plane_scale(Random& random, int planes, bool tied) {  // tied: as kernels that count planes together want
    const std::vector<float> ones(static_cast<size_t>(planes), 1.0f);
    return tied ? add("f32", {planes}, ones.data(), ones.size() * 4) : floats(random, {planes});
  }
  void op(const std::string& text) { graph += (graph.empty() ? "{" : ",{") + text + "}"; }

  // scan: ",\"scan\":{...}" or nothing
  std::vector<unsigned char> file(int planes, const std::string& transform, bool fixed = false,
                                  const std::string& scan = "") const {
    std::string header = "{\"format\":\"aoie\",\"name\":\"test\",\"planes\":" + std::to_string(planes) +
                         ",\"classes\":[\"a\",\"b\"],\"input\":{\"channels\":1,\"height\":8,\"width\":8,\"fixed\":" +
                         (fixed ? "true" : "false") + ",\"transform\":" + transform + "},\"graph\":[" + graph +
                         "],\"tensors\":{" + tensors + "}" + scan + ",\"meta\":{\"note\":\"\\u00e9\"}}";
    const size_t at = (32 + header.size() + 63) / 64 * 64;
    std::vector<unsigned char> out(at, 0);
    std::memcpy(out.data() + 32, header.data(), header.size());
    out.insert(out.end(), data.begin(), data.end());
    std::memcpy(out.data(), "AOIENET\0", 8);
    put(&out, 8, 1, 4);
    put(&out, 12, header.size(), 4);
    put(&out, 16, out.size(), 8);
    seal(&out);
    return out;
  }

  static void put(std::vector<unsigned char>* out, size_t at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) (*out)[at + static_cast<size_t>(i)] = static_cast<unsigned char>(value >> (8 * i));
  }
  static void seal(std::vector<unsigned char>* out) {  // the checksum of what is there now
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 32; i < out->size(); ++i) hash = (hash ^ (*out)[i]) * 0x100000001B3u;
    put(out, 24, hash, 8);
  }
};

// conv_int -> slopes -> binarize -> conv_bits -> pool -> linear
inline std::vector<unsigned char> small_file(int c, int o, int planes, bool tied = false) {
  Random random;
  ModelFile m;
  std::vector<int16_t> first(static_cast<size_t>(c) * 9);
  for (auto& w : first) w = static_cast<int16_t>(random.next() % 201) - 100;
  m.op("\"op\":\"conv_int\",\"in\":[0],\"out\":1,\"k\":3,\"s\":1,\"p\":1,\"weight\":" +
       m.add("i16", {c, 3, 3, 1}, first.data(), first.size() * 2) + ",\"scale\":" + m.floats(random, {c}) +
       ",\"bias\":" + m.floats(random, {c}));
  m.op("\"op\":\"slopes\",\"in\":[1],\"out\":2,\"pos\":" + m.floats(random, {c}) + ",\"pos_shift\":" +
       m.floats(random, {c}) + ",\"neg\":" + m.floats(random, {c}) + ",\"neg_shift\":" + m.floats(random, {c}));
  std::vector<unsigned char> flip(static_cast<size_t>(planes * c));
  for (auto& f : flip) f = static_cast<unsigned char>(random.next() >> 63);
  m.op("\"op\":\"binarize\",\"in\":[2],\"out\":3,\"threshold\":" + m.floats(random, {planes, c}) +
       ",\"flip\":" + m.add("u8", {planes, c}, flip.data(), flip.size()));
  const int words = (c + 63) / 64;
  std::vector<uint64_t> weight(static_cast<size_t>(o * 9 * words));
  for (size_t i = 0; i < weight.size(); ++i) {
    weight[i] = random.next();
    if (c % 64 != 0 && static_cast<int>(i) % words == words - 1) weight[i] &= (uint64_t{1} << (c % 64)) - 1;
  }
  m.op("\"op\":\"conv_bits\",\"in\":[3],\"out\":4,\"k\":3,\"s\":1,\"p\":1,\"channels\":" + std::to_string(c) +
       ",\"weight\":" + m.add("u64", {o, 3, 3, words}, weight.data(), weight.size() * 8) +
       ",\"plane_scale\":" + m.plane_scale(random, planes, tied) + ",\"e\":" + m.floats(random, {o}) +
       ",\"f\":" + m.floats(random, {o}) + ",\"h\":" + m.floats(random, {16, o}));
  m.op("\"op\":\"pool\",\"in\":[4],\"out\":5,\"window\":4,\"stride\":2");
  m.op("\"op\":\"linear\",\"in\":[5],\"out\":6,\"weight\":" + m.floats(random, {2, o}) +
       ",\"bias\":" + m.floats(random, {2}));
  return m.file(planes, "{\"kind\":\"standardize\",\"window_px\":5,\"eps_levels\":2.0,\"scale\":32.0}");
}

// A scanner of blocks of 4 px every 8 px that sees nothing around them: rows of the picture are in no band.
inline std::vector<unsigned char> sparse_scan_file() {
  Random random;
  ModelFile m;
  const std::vector<int16_t> stem{31, -7};
  m.op("\"op\":\"conv_int\",\"in\":[0],\"out\":1,\"k\":1,\"s\":1,\"p\":0,\"weight\":" +
       m.add("i16", {2, 1, 1, 1}, stem.data(), 4) + ",\"scale\":" + m.floats(random, {2}) +
       ",\"bias\":" + m.floats(random, {2}));
  m.op("\"op\":\"pool\",\"in\":[1],\"out\":2,\"window\":4,\"stride\":8");
  m.op("\"op\":\"linear\",\"in\":[2],\"out\":3,\"weight\":" + m.floats(random, {2, 2}) +
       ",\"bias\":" + m.floats(random, {2}));
  return m.file(1, "{\"kind\":\"center\"}", false,
                ",\"scan\":{\"block_px\":4,\"block_stride_px\":8,\"halo_px\":0,\"total_stride\":1,\"defect\":1,"
                "\"threshold\":0,\"temperature\":1}");
}

// A scanner with a decision per pixel and two coarser levels: bands begin at multiples of 4.
inline std::vector<unsigned char> hourglass_scan_file() {
  Random random;
  ModelFile m;
  const std::vector<int16_t> stem(18, 31);
  m.op("\"op\":\"conv_int\",\"in\":[0],\"out\":1,\"k\":3,\"s\":1,\"p\":1,\"weight\":" +
       m.add("i16", {2, 3, 3, 1}, stem.data(), 36) + ",\"scale\":" + m.floats(random, {2}) +
       ",\"bias\":" + m.floats(random, {2}));
  m.op("\"op\":\"avgpool2\",\"in\":[1],\"out\":2");
  m.op("\"op\":\"conv_f32\",\"in\":[2],\"out\":3,\"k\":3,\"s\":2,\"p\":1,\"groups\":2,\"weight\":" +
       m.floats(random, {2, 3, 3, 1}) + ",\"bias\":" + m.floats(random, {2}));
  m.op("\"op\":\"upadd2\",\"in\":[2,3],\"out\":4");
  m.op("\"op\":\"upadd2\",\"in\":[1,4],\"out\":5");
  m.op("\"op\":\"pool\",\"in\":[5],\"out\":6,\"window\":1,\"stride\":1");
  m.op("\"op\":\"linear\",\"in\":[6],\"out\":7,\"weight\":" + m.floats(random, {2, 2}) +
       ",\"bias\":" + m.floats(random, {2}));
  return m.file(1, "{\"kind\":\"center\"}", false,
                ",\"scan\":{\"block_px\":1,\"block_stride_px\":1,\"align_px\":4,\"halo_px\":8,\"total_stride\":1,"
                "\"defect\":1,\"threshold\":0,\"temperature\":1}");
}

// conv_int, then every op that small_file lacks, on maps of 4 n to 14 n channels. 8 x 8 pixels.
inline std::vector<unsigned char> mixed_file(int n = 1, bool tied = false) {
  const int c = 6 * n, words = (c + 63) / 64;
  Random random;
  ModelFile m;
  int last = 0;
  const auto op = [&](const std::string& name, const std::vector<int>& in, const std::string& keys) {
    std::string ids;
    for (int id : in) ids += (ids.empty() ? "" : ",") + std::to_string(id);
    m.op("\"op\":\"" + name + "\",\"in\":[" + ids + "],\"out\":" + std::to_string(++last) + keys);
    return last;
  };
  const auto key = [](const char* name, const std::string& value) { return ",\"" + std::string(name) + "\":" + value; };
  const auto floats = [&](const char* name, const std::vector<int>& shape) {
    return key(name, m.floats(random, shape));
  };
  const std::vector<int16_t> stem(static_cast<size_t>(4 * n * 9), 55);
  int x = op("conv_int", {0},
             ",\"k\":3,\"s\":1,\"p\":1" + key("weight", m.add("i16", {4 * n, 3, 3, 1}, stem.data(), stem.size() * 2)) +
                 floats("scale", {4 * n}) + floats("bias", {4 * n}));
  x = op("maxpool", {x}, ",\"k\":2,\"s\":1,\"p\":1");  // 9 x 9
  x = op("conv_f32", {x},
         ",\"k\":3,\"s\":2,\"p\":1,\"groups\":2" + floats("weight", {c, 3, 3, 2 * n}) + floats("bias", {c}));
  x = op("slopes", {x},
         floats("pos", {c}) + floats("pos_shift", {c}) + floats("neg", {c}) + floats("neg_shift", {c}) +
             floats("knee", {c}));
  const std::vector<unsigned char> flip(static_cast<size_t>(2 * c), 1);
  const int bits =
      op("binarize", {x}, floats("threshold", {2, c}) + key("flip", m.add("u8", {2, c}, flip.data(), flip.size())));
  std::vector<uint64_t> weight(static_cast<size_t>(c * 3 * words));
  for (size_t i = 0; i < weight.size(); ++i) {
    weight[i] = random.next();
    if (c % 64 != 0 && static_cast<int>(i) % words == words - 1) weight[i] &= (uint64_t{1} << (c % 64)) - 1;
  }
  const std::string constants = key("plane_scale", m.plane_scale(random, 2, tied)) + floats("e", {c}) +
                                floats("f", {c}) + floats("h", {16, c}) + ",\"channels\":" + std::to_string(c) +
                                ",\"s\":1";
  const int tall = op("conv_bits", {bits},
                      ",\"k\":3,\"kw\":1" +
                          key("weight", m.add("u64", {c, 3, 1, words}, weight.data(), weight.size() * 8)) + constants);
  const int wide = op("conv_bits", {bits},
                      ",\"k\":1,\"kw\":3" +
                          key("weight", m.add("u64", {c, 1, 3, words}, weight.data(), weight.size() * 8)) + constants);
  x = op("gate", {tall, wide}, floats("threshold", {c}) + floats("scale", {c}) + floats("shift", {c}));
  x = op("clip", {x}, ",\"low\":-1,\"high\":1.5e0");
  int vec = op("pool", {x}, ",\"window\":0");
  vec = op("sigmoid", {op("linear", {vec}, floats("weight", {c, c}) + floats("bias", {c}))}, "");
  x = op("mul", {x, vec}, "");
  x = op("rank1", {x}, floats("rows", {5}) + floats("columns", {5}));
  x = op("add", {x, tall}, "");
  x = op("upadd2", {x, op("avgpool2", {x}, "")}, "");
  x = op("channels", {x},
         ",\"from\":" + std::to_string(n) + ",\"to\":" + std::to_string(5 * n) + ",\"before\":" + std::to_string(n) +
             ",\"after\":" + std::to_string(2 * n));
  x = op("concat", {op("subsample2", {x}, ""), op("avgpool2", {x}, "")}, "");
  x = op("pool", {x}, ",\"window\":2,\"stride\":1");
  x = op("peak", {op("mul", {x, x}, "")}, ",\"window\":2,\"stride\":1");
  op("linear", {x}, floats("weight", {2, 14 * n}) + floats("bias", {2}));
  return m.file(2, "{\"kind\":\"center\"}", true);
}

// A classifier of rows of 5 pixels, whose map is as high as the vec that scales it, but not as wide.
inline std::vector<unsigned char> row_file() {
  Random random;
  ModelFile m;
  const std::vector<int16_t> one{31, -7, 9, 5}, five(4 * 25, 21);
  const auto stem = [&](int out, int side, int stride, const std::vector<int16_t>& weight) {
    const std::string k = std::to_string(side), s = std::to_string(stride), p = std::to_string(side / 2);
    m.op("\"op\":\"conv_int\",\"in\":[0],\"out\":" + std::to_string(out) + ",\"k\":" + k + ",\"s\":" + s +
         ",\"p\":" + p + ",\"weight\":" + m.add("i16", {4, side, side, 1}, weight.data(), weight.size() * 2) +
         ",\"scale\":" + m.floats(random, {4}) + ",\"bias\":" + m.floats(random, {4}));
  };
  stem(1, 1, 1, one);
  stem(2, 5, 5, five);
  m.op("\"op\":\"pool\",\"in\":[2],\"out\":3,\"window\":1,\"stride\":1");
  m.op("\"op\":\"mul\",\"in\":[1,3],\"out\":4");
  m.op("\"op\":\"pool\",\"in\":[4],\"out\":5,\"window\":1,\"stride\":1");
  m.op("\"op\":\"linear\",\"in\":[5],\"out\":6,\"weight\":" + m.floats(random, {2, 4}) +
       ",\"bias\":" + m.floats(random, {2}));
  std::vector<unsigned char> file = m.file(1, "{\"kind\":\"center\"}", true);
  const std::string sides = "\"height\":8,\"width\":8";
  const auto at = std::search(file.begin(), file.end(), sides.begin(), sides.end()) - file.begin();
  file[static_cast<size_t>(at) + 9] = '1', file[static_cast<size_t>(at) + 19] = '5';
  ModelFile::seal(&file);
  return file;
}

}  // namespace aoie_test
#endif  // AOIENET_TESTS_MODEL_BUILDER_H_
