// The only C++ that knows Python: a thin face of runtime/include/aoienet/aoienet.h. Arrays are checked in
// aoienet/engine/__init__.py.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "aoienet/aoienet.h"
#include "team.h"

namespace nb = nanobind;

namespace {

using Bytes = nb::ndarray<const uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Image = nb::ndarray<const uint8_t, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Memory = nb::ndarray<uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Logits = nb::ndarray<float, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

struct Closer {
  void operator()(aoie_model* model) const { aoie_close(model); }
};

struct Core {
  std::unique_ptr<aoie_model, Closer> model;
};

void check(int status, const char* message) {
  if (status == AOIE_OK) return;
  const std::string text = message != nullptr && *message != 0 ? message : aoie_status_text(status);
  if (status == AOIE_NO_MEMORY) {
    PyErr_SetString(PyExc_MemoryError, text.c_str());
    throw nb::python_error();
  }
  if (status == AOIE_BAD_ISA) throw std::runtime_error(text);
  throw std::invalid_argument(text);  // ValueError
}

Core open(Bytes file) {
  char message[512] = "";
  aoie_model* model = nullptr;
  int status;
  {
    nb::gil_scoped_release release;
    status = aoie_open(file.data(), file.size(), &model, message, sizeof message);
  }
  check(status, message);
  return Core{std::unique_ptr<aoie_model, Closer>(model)};
}

nb::tuple plan(const Core& core, int64_t h, int64_t w) {
  char message[512] = "";
  aoie_plan_result out{};
  check(aoie_plan(core.model.get(), h, w, &out, message, sizeof message), message);
  return nb::make_tuple(out.grid_h, out.grid_w, out.classes, out.workspace_bytes, out.trace_bytes);
}

void check_channels(const Core& core, const Image& image) {
  if (static_cast<int>(image.shape(2)) != aoie_channels(core.model.get()))
    throw std::invalid_argument("the channels of the image are those of the model.");
}

int run_on(const Core& core, const Image& image, const Memory& workspace, const Logits& out, int threads) {
  const auto h = static_cast<int64_t>(image.shape(0)), w = static_cast<int64_t>(image.shape(1));
  if (threads == 1)
    return aoie_run(core.model.get(), image.data(), h, w, workspace.data(), workspace.size(), out.data());
  Team team(threads);
  return aoie_run_parallel(core.model.get(), image.data(), h, w, workspace.data(), workspace.size(), out.data(),
                           threads, &Team::parallel_for, &team);
}

void run(const Core& core, Image image, Memory workspace, Logits out, int threads) {
  check_channels(core, image);
  const auto h = static_cast<int64_t>(image.shape(0)), w = static_cast<int64_t>(image.shape(1));
  int status;
  {
    nb::gil_scoped_release release;
    aoie_plan_result want{};
    status = aoie_plan(core.model.get(), h, w, &want, nullptr, 0);
    const bool fits = out.shape(0) == static_cast<size_t>(want.grid_h) &&
                      out.shape(1) == static_cast<size_t>(want.grid_w) &&
                      out.shape(2) == static_cast<size_t>(want.classes);
    if (status == AOIE_OK) status = fits ? run_on(core, image, workspace, out, threads) : AOIE_BAD_ARGUMENT;
  }
  check(status, nullptr);
}

// Rows y ... and columns x ... of the grid of decisions, as many as out has.
void run_part(const Core& core, Image image, Memory workspace, Logits out, int32_t y, int32_t x) {
  check_channels(core, image);
  const auto h = static_cast<int64_t>(image.shape(0)), w = static_cast<int64_t>(image.shape(1));
  const aoie_part part{y, x, static_cast<int32_t>(out.shape(0)), static_cast<int32_t>(out.shape(1))};
  int status;
  {
    nb::gil_scoped_release release;
    aoie_plan_result want{};
    status = aoie_plan(core.model.get(), h, w, &want, nullptr, 0);
    if (status == AOIE_OK)
      status = out.shape(2) != static_cast<size_t>(want.classes)
                   ? AOIE_BAD_ARGUMENT
                   : aoie_run_part(core.model.get(), image.data(), h, w, &part, workspace.data(), workspace.size(),
                                   out.data());
  }
  check(status, nullptr);
}

uint64_t part_bytes(const Core& core, int64_t h, int64_t w, int32_t y, int32_t x, int32_t rows, int32_t columns) {
  const aoie_part part{y, x, rows, columns};
  return aoie_part_bytes(core.model.get(), h, w, &part);
}

void trace(const Core& core, Image image, Memory workspace) {
  check_channels(core, image);
  int status;
  {
    nb::gil_scoped_release release;
    status = aoie_trace(core.model.get(), image.data(), static_cast<int64_t>(image.shape(0)),
                        static_cast<int64_t>(image.shape(1)), workspace.data(), workspace.size());
  }
  check(status, nullptr);
}

// (type, planes, h, w, channels, words, offset, bytes) of a value, None for an id that the graph does not use.
nb::object value_at(const Core& core, int64_t h, int64_t w, int index) {
  aoie_value v{};
  if (aoie_value_at(core.model.get(), h, w, index, &v) != AOIE_OK) return nb::none();
  return nb::make_tuple(v.type, v.planes, v.h, v.w, v.channels, v.words, v.offset, v.bytes);
}

}  // namespace

NB_MODULE(_core, m) {
  nb::set_leak_warnings(false);  // a worker keeps its model until the process ends
  nb::class_<Core>(m, "Core")
      .def("plan", &plan)
      .def("parallel_bytes", [](const Core& core, int64_t h, int64_t w,
                                int threads) { return aoie_parallel_bytes(core.model.get(), h, w, threads); })
      .def("run", &run)
      .def("part_bytes", &part_bytes)
      .def("run_part", &run_part)
      .def("trace", &trace)
      .def("value_at", &value_at)
      .def_prop_ro("value_count", [](const Core& core) { return aoie_value_count(core.model.get()); })
      .def_prop_ro("model_bytes", [](const Core& core) { return aoie_model_bytes(core.model.get()); })
      .def_prop_ro("channels", [](const Core& core) { return aoie_channels(core.model.get()); })
      .def_prop_ro("isa", [](const Core& core) { return aoie_isa_name(core.model.get()); })
      .def_prop_ro("header", [](const Core& core) {
        size_t bytes = 0;
        const char* text = aoie_header(core.model.get(), &bytes);
        return nb::bytes(text, bytes);
      });
  m.def("open", &open);
  m.def("isas", [] {
    nb::list out;
    for (int i = 0; aoie_isa_at(i) != nullptr; ++i)
      if (aoie_isa_usable(aoie_isa_at(i))) out.append(aoie_isa_at(i));
    return nb::tuple(out);
  });
  m.def("active_isa", [] { return aoie_isa_active(); });
  m.def("cpu_features", [] {
    nb::dict out;
    int present = 0;
    for (int i = 0; aoie_cpu_feature(i, &present) != nullptr; ++i) out[aoie_cpu_feature(i, nullptr)] = present != 0;
    return out;
  });
}
