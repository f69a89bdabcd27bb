/* aoienet runtime: runs one .aoie file (docs/format.md) on packed bits.
 *
 * - Memory: aoie_open allocates the model (aoie_open_in: nothing at all); after it nothing is allocated, the caller
 *   hands a workspace.
 * - Threads: none of its own. A model does not change after aoie_open: any number of threads may run it,
 *   each with its own workspace.
 * - Errors: a status code everywhere; aoie_open also says which rule failed. No exception leaves the library.
 * - Every instruction set gives the same bits. The environment variable AOIENET_ISA forces one
 *   (reference, neon, avx2, avx512). The threads that run a model round to nearest and keep small numbers (no
 *   flush-to-zero), which is how they begin; where a program changes that, the bits may differ.
 */
#ifndef AOIENET_AOIENET_H_
#define AOIENET_AOIENET_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define AOIE_API __attribute__((visibility("default")))
#else
#define AOIE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct aoie_model aoie_model;

typedef enum {
  AOIE_OK = 0,
  AOIE_BAD_ARGUMENT = 1, /* NULL, out of its range, not for this model; a workspace too small or not aligned */
  AOIE_BAD_FILE = 2,     /* the bytes break a rule of docs/format.md */
  AOIE_BAD_SIZE = 3,     /* this model does not take pictures of this size */
  AOIE_NO_MEMORY = 4,
  AOIE_BAD_ISA = 5, /* isa or AOIENET_ISA names an instruction set that is unknown or that this machine lacks */
  AOIE_IO = 6       /* the file cannot be read */
} aoie_status;

/* A short English text for a status. Static memory. */
AOIE_API const char* aoie_status_text(int status);

/* Checks and opens a model. data: the whole file, any alignment, not needed after the call. message: may be NULL;
 * receives at most message_bytes - 1 characters and a 0 when the status is not AOIE_OK. */
AOIE_API int aoie_open(const void* data, size_t bytes, aoie_model** out, char* message, size_t message_bytes);
AOIE_API int aoie_open_file(const char* path, aoie_model** out, char* message, size_t message_bytes);
/* The same with a named instruction set; NULL: AOIENET_ISA, else the best of this machine. */
AOIE_API int aoie_open_isa(const void* data, size_t bytes, const char* isa, aoie_model** out, char* message,
                           size_t message_bytes);
AOIE_API void aoie_close(aoie_model* model); /* NULL is allowed */

/* The same without the heap, for small boards: the model stands in memory (any alignment), and data stays where it is
 * (flash), begins at a multiple of 8 bytes and outlives the model. isa as above. AOIE_NO_MEMORY: memory is too small.
 * aoie_close is not needed. */
AOIE_API int aoie_open_in(const void* data, size_t bytes, const char* isa, void* memory, size_t memory_bytes,
                          aoie_model** out, char* message, size_t message_bytes);
/* What aoie_open_in needs for this file and instruction set on a machine with pointers of this size (fewer bytes where
 * they are smaller), plus 63 when memory is not aligned to 64 bytes. */
AOIE_API size_t aoie_model_bytes(const aoie_model* model);

/* The JSON header of the file, not terminated by 0; owned by the model. */
AOIE_API const char* aoie_header(const aoie_model* model, size_t* bytes);
AOIE_API int aoie_channels(const aoie_model* model); /* of the picture: 1 or 3 */

#define AOIE_WORKSPACE_ALIGN 64

typedef struct {
  int32_t grid_h, grid_w;   /* decisions down and across */
  int32_t classes;          /* logits per decision */
  uint64_t workspace_bytes; /* for aoie_run */
  uint64_t trace_bytes;     /* for aoie_trace */
} aoie_plan_result;

/* What a picture of h x w pixels needs. message as in aoie_open. */
AOIE_API int aoie_plan(const aoie_model* model, int64_t h, int64_t w, aoie_plan_result* out, char* message,
                       size_t message_bytes);

/* Runs. image: u8 [h, w, channels], dense. workspace: aligned to 64 bytes, at least workspace_bytes, contents do not
 * matter. out_logits: f32 [grid_h, grid_w, classes]. The three must not overlap. */
AOIE_API int aoie_run(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, void* workspace,
                      uint64_t workspace_bytes, float* out_logits);

/* A parallel-for of the caller: calls task(argument, 0) ... task(argument, count - 1) once each, in any order, on any
 * threads, and returns when all have returned. */
typedef void (*aoie_parallel_for)(void* context, void (*task)(void* argument, int index), void* argument, int count);

/* aoie_run in tasks (1 to 64) parts per op: the same bits. workspace: at least aoie_parallel_bytes, which is 0 when the
 * model does not take the size or tasks is out of range. */
AOIE_API int aoie_run_parallel(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, void* workspace,
                               uint64_t workspace_bytes, float* out_logits, int tasks, aoie_parallel_for parallel_for,
                               void* context);
AOIE_API uint64_t aoie_parallel_bytes(const aoie_model* model, int64_t h, int64_t w, int tasks);

/* A part of the grid of decisions: rows y ... y + rows - 1, columns x ... x + columns - 1 of them. */
typedef struct {
  int32_t y, x, rows, columns;
} aoie_part;
/* aoie_run for a part of the decisions: their bits are the same, and what only the others need is left out, as where
 * the surroundings of a tile are in the picture for the sake of its border. workspace: at least aoie_part_bytes, which
 * is 0 when the model does not take the size or the part is not in the grid. out_logits: f32 [rows, columns, classes].
 */
AOIE_API int aoie_run_part(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, const aoie_part* part,
                           void* workspace, uint64_t workspace_bytes, float* out_logits);
AOIE_API uint64_t aoie_part_bytes(const aoie_model* model, int64_t h, int64_t w, const aoie_part* part);

/* Bands: a scanner runs a picture of any height in pieces of bounded memory, with the bits of one run. */
typedef struct {
  int32_t block_px, block_stride_px, halo_px, total_stride;
  int32_t align_px; /* tiles begin at multiples of it; a multiple of block_stride_px */
} aoie_scan;
/* AOIE_BAD_ARGUMENT for a whole-picture classifier, which has no scan geometry. */
AOIE_API int aoie_scan_of(const aoie_model* model, aoie_scan* out);

typedef struct {
  int64_t first_px, rows_px; /* the rows of the picture to hand to aoie_run, as a picture of rows_px x w */
  int32_t skip, rows;        /* of the rows of decisions that come out: leave out so many, then take so many */
  int32_t grid_h, grid_w;    /* that come out */
  uint64_t workspace_bytes;
} aoie_band;
/* The band with the rows of decisions first ... first + rows - 1 of a picture of h x w pixels, fewer at its end. h and
 * w are whole blocks, block_px + n * block_stride_px (mirror the picture up to them); h may be beyond 65,536. message
 * as in aoie_open. examples/bands.c walks over a picture. */
AOIE_API int aoie_band_at(const aoie_model* model, int64_t h, int64_t w, int64_t first, int32_t rows, aoie_band* out,
                          char* message, size_t message_bytes);

/* aoie_run, but every value of the graph stays in the workspace (trace_bytes) where aoie_value_at finds it. */
AOIE_API int aoie_trace(const aoie_model* model, const uint8_t* image, int64_t h, int64_t w, void* workspace,
                        uint64_t workspace_bytes);

typedef enum { AOIE_U8 = 0, AOIE_I8 = 1, AOIE_BITS = 2, AOIE_F32 = 3, AOIE_VEC = 4 } aoie_type;
typedef struct {
  int32_t type;     /* aoie_type */
  int32_t planes;   /* bits: J, else 1 */
  int32_t h, w;     /* positions */
  int32_t channels; /* of one position */
  int32_t words;    /* bits: 64-bit words per position, else 0 */
  uint64_t offset;  /* of the first byte in the trace workspace */
  uint64_t bytes;
} aoie_value;
/* Layouts: u8, i8, f32, vec [h, w, channels]; bits u64 [planes, h, w, words]. */
AOIE_API int aoie_value_count(const aoie_model* model);
AOIE_API int aoie_value_at(const aoie_model* model, int64_t h, int64_t w, int index, aoie_value* out);

/* Instruction sets: the one this model uses; the known ones by index (NULL past the end); can this machine run it. */
AOIE_API const char* aoie_isa_name(const aoie_model* model);
AOIE_API const char* aoie_isa_at(int index);
AOIE_API int aoie_isa_usable(const char* name);
/* The one aoie_open would take now, NULL when AOIENET_ISA names a wrong one. */
AOIE_API const char* aoie_isa_active(void);
/* CPU features by index: name, and in *present 0 or 1. NULL past the end. */
AOIE_API const char* aoie_cpu_feature(int index, int* present);

#ifdef __cplusplus
}
#endif
#endif /* AOIENET_AOIENET_H_ */
