/* minimal MODEL.aoie H W: runs a grey (or RGB) picture of H x W raw bytes from standard input and prints the logits. */
#include <stdio.h>
#include <stdlib.h>

#include "aoienet/aoienet.h"

int main(int argc, char** argv) {
  char message[256];
  aoie_model* model;
  aoie_plan_result plan;
  if (argc != 4) return fprintf(stderr, "usage: minimal MODEL.aoie H W < pixels\n"), 2;
  const long h = atol(argv[2]), w = atol(argv[3]);
  if (aoie_open_file(argv[1], &model, message, sizeof message) != AOIE_OK) return fprintf(stderr, "%s\n", message), 1;
  if (aoie_plan(model, h, w, &plan, message, sizeof message) != AOIE_OK) return fprintf(stderr, "%s\n", message), 1;

  const size_t pixels = (size_t)h * (size_t)w * (size_t)aoie_channels(model);
  const size_t logits = (size_t)plan.grid_h * (size_t)plan.grid_w * (size_t)plan.classes;
  unsigned char* image = malloc(pixels);
  float* out = malloc(logits * sizeof *out);
  void* workspace = aligned_alloc(AOIE_WORKSPACE_ALIGN, plan.workspace_bytes);
  if (!image || !out || !workspace || fread(image, 1, pixels, stdin) != pixels)
    return fprintf(stderr, "no memory, or too few pixels\n"), 1;

  const int status = aoie_run(model, image, h, w, workspace, plan.workspace_bytes, out);
  if (status != AOIE_OK) return fprintf(stderr, "%s\n", aoie_status_text(status)), 1;
  for (size_t i = 0; i < logits; ++i) printf("%.9g%c", out[i], (i + 1) % (size_t)plan.classes ? ' ' : '\n');
  free(workspace), free(out), free(image), aoie_close(model);
  return 0;
}
