/* Classifies the picture of a .golden file (tests/test_golden.cc has the layout) and compares all logits, bit by bit.
 * No heap: the model stands in model_memory, a run works in workspace. */
#include <string.h>

#include "aoienet/aoienet.h"
#include "board.h"

enum { kModelBytes = 32 * 1024, kWorkspaceBytes = 192 * 1024, kMostLogits = 256, kHeadBytes = 28 };

extern const unsigned char model_file[], model_file_end[], picture_file[];
static unsigned char model_memory[kModelBytes] __attribute__((aligned(64)));
static unsigned char workspace[kWorkspaceBytes] __attribute__((aligned(AOIE_WORKSPACE_ALIGN)));
static float logits[kMostLogits];

static void print_number(const char* what, uint32_t value) {
  char digits[12];
  int at = sizeof digits - 1;
  digits[at] = 0;
  do digits[--at] = (char)('0' + value % 10);
  while ((value /= 10) != 0);
  board_print(what);
  board_print(digits + at);
  board_print("\n");
}

static int stop(const char* why) {
  board_print(why);
  board_print("\n");
  return 1;
}

int main(void) {
  uint32_t head[5]; /* version, height, width, channels, count of logits */
  char message[320] = "";
  aoie_model* model;
  aoie_plan_result plan;
  memcpy(head, picture_file + 8, sizeof head);
  const uint8_t* picture = picture_file + kHeadBytes;
  const uint8_t* stored = picture + head[1] * head[2] * head[3];

  if (aoie_open_in(model_file, (size_t)(model_file_end - model_file), "reference", model_memory, sizeof model_memory,
                   &model, message, sizeof message) != AOIE_OK ||
      aoie_plan(model, head[1], head[2], &plan, message, sizeof message) != AOIE_OK)
    return stop(message);
  print_number("bytes of the model file in flash     ", (uint32_t)(model_file_end - model_file));
  print_number("bytes of memory of the opened model  ", (uint32_t)aoie_model_bytes(model));
  print_number("bytes of workspace for this picture  ", (uint32_t)plan.workspace_bytes);
  if (plan.workspace_bytes > sizeof workspace || head[4] > kMostLogits ||
      head[4] != (uint32_t)(plan.grid_h * plan.grid_w * plan.classes))
    return stop("the picture fits into workspace and logits; received a larger one.");

  const int status = aoie_run(model, picture, head[1], head[2], workspace, sizeof workspace, logits);
  if (status != AOIE_OK) return stop(aoie_status_text(status));
  if (memcmp(logits, stored, head[4] * sizeof *logits) != 0) return stop("logits differ from the stored ones");
  print_number("bytes of stack                       ", board_stack_bytes());
  print_number(NAME ": logits that equal those of the host, bit by bit: ", head[4]);
  return 0;
}
