/* bands MODEL.aoie H W ROWS: like minimal, but reads the picture in bands of ROWS rows of decisions and holds no more
 * than one band of it: the memory does not depend on H. H and W are whole blocks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aoienet/aoienet.h"

static int stop(const char* why) { return fprintf(stderr, "%s\n", why), 1; }

int main(int argc, char** argv) {
  char message[320];
  aoie_model* model;
  aoie_band band;
  if (argc != 5) return stop("usage: bands MODEL.aoie H W ROWS < pixels");
  const long long h = atoll(argv[2]), w = atoll(argv[3]);
  const int rows = atoi(argv[4]);
  if (aoie_open_file(argv[1], &model, message, sizeof message) != AOIE_OK) return stop(message);
  const size_t line = (size_t)w * (size_t)aoie_channels(model);

  unsigned char* pixels = NULL; /* rows have_from ... have_end - 1 of the picture */
  long long have_from = 0, have_end = 0;
  aoie_scan scan;
  if (aoie_scan_of(model, &scan) != AOIE_OK) return stop("bands are for block scanners; received another model");
  const long long all = (h - scan.block_px) / scan.block_stride_px + 1;
  for (long long first = 0; first == 0 || first < all;
       first += band.rows) { /* once at least: it refuses a wrong size */
    if (aoie_band_at(model, h, w, first, rows, &band, message, sizeof message) != AOIE_OK) return stop(message);
    aoie_plan_result plan;
    if (aoie_plan(model, band.rows_px, w, &plan, message, sizeof message) != AOIE_OK) return stop(message);
    const size_t row_logits = (size_t)band.grid_w * (size_t)plan.classes;
    unsigned char* next = malloc((size_t)band.rows_px * line); /* a real program would take the largest once */
    void* workspace = aligned_alloc(AOIE_WORKSPACE_ALIGN, band.workspace_bytes);
    float* logits = malloc((size_t)band.grid_h * row_logits * sizeof *logits);
    if (!next || !workspace || !logits) return stop("no memory for a band");

    for (; have_end < band.first_px; ++have_end) /* blocks that stand apart leave rows out */
      if (fread(next, 1, line, stdin) != line) return stop("too few pixels");
    const size_t kept = (size_t)(have_end - band.first_px) * line, more = (size_t)band.rows_px * line - kept;
    if (kept > 0) memcpy(next, pixels + (size_t)(band.first_px - have_from) * line, kept);
    if (fread(next + kept, 1, more, stdin) != more) return stop("too few pixels");
    free(pixels), pixels = next, have_from = band.first_px, have_end = band.first_px + band.rows_px;

    const int status = aoie_run(model, pixels, band.rows_px, w, workspace, band.workspace_bytes, logits);
    if (status != AOIE_OK) return stop(aoie_status_text(status));
    const float* at = logits + (size_t)band.skip * row_logits;
    for (size_t i = 0; i < (size_t)band.rows * row_logits; ++i)
      printf("%.9g%c", at[i], (i + 1) % (size_t)plan.classes ? ' ' : '\n');
    free(logits), free(workspace);
  }
  free(pixels), aoie_close(model);
  return 0;
}
