// Which rows of a picture a band of decisions needs (docs/format.md, Scan geometry).
#include "model.h"

namespace aoie {
namespace {

constexpr int64_t kMostRows = int64_t{1} << 40;  // of a picture in bands: no sum below overflows

bool whole_blocks(const aoie_model& model, int64_t side) {
  return side >= model.block_px && side <= kMostRows && (side - model.block_px) % model.block_stride_px == 0;
}

int band_at(const aoie_model& model, int64_t h, int64_t w, int64_t first, int32_t rows, aoie_band* out,
            const Message& say) {
  const int64_t block = model.block_px, step = model.block_stride_px, halo = model.halo_px, align = model.align_px;
  if (block == 0) {
    say.print("only a block scanner runs in bands", kReceived, "a whole-picture classifier.");
    return AOIE_BAD_ARGUMENT;
  }
  if (!whole_blocks(model, h) || !whole_blocks(model, w)) {
    say.print("a picture in bands has sides of ", block, " + n * ", step, " pixels", kReceived, h, " x ", w,
              " (h, w). Mirror it up to whole blocks.");
    return AOIE_BAD_SIZE;
  }
  const int64_t all = (h - block) / step + 1;
  if (first < 0 || first >= all || rows < 1) {
    say.print("a band begins at a row of decisions, 0 to ", all - 1, ", and has at least one", kReceived, "first ",
              first, ", rows ", rows, ".");
    return AOIE_BAD_ARGUMENT;
  }
  const int64_t end = first + rows < all ? first + rows : all;  // of its rows of decisions
  const int64_t top = first * step > halo ? (first * step - halo) / align * align : 0;
  const int64_t below = (end - 1) * step + block + halo, bottom = below < h ? below : h;
  aoie_plan_result plan;
  const int status = aoie_plan(&model, bottom - top, w, &plan, say.text, say.bytes);
  if (status != AOIE_OK) return status;
  *out = {top,
          bottom - top,
          static_cast<int32_t>(first - top / step),
          static_cast<int32_t>(end - first),
          plan.grid_h,
          plan.grid_w,
          plan.workspace_bytes};
  return AOIE_OK;
}

}  // namespace
}  // namespace aoie

extern "C" {

int aoie_scan_of(const aoie_model* model, aoie_scan* out) {
  if (model == nullptr || out == nullptr || model->block_px == 0) return AOIE_BAD_ARGUMENT;
  *out = {static_cast<int32_t>(model->block_px), static_cast<int32_t>(model->block_stride_px),
          static_cast<int32_t>(model->halo_px), static_cast<int32_t>(model->total_stride),
          static_cast<int32_t>(model->align_px)};
  return AOIE_OK;
}

int aoie_band_at(const aoie_model* model, int64_t h, int64_t w, int64_t first, int32_t rows, aoie_band* out,
                 char* message, size_t message_bytes) {
  const aoie::Message say{message, message_bytes};
  if (model == nullptr || out == nullptr) {
    say.print("model and out are not NULL; received NULL.");
    return AOIE_BAD_ARGUMENT;
  }
  *out = aoie_band{};
  return aoie::band_at(*model, h, w, first, rows, out, say);
}
}
