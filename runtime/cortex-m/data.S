// Model and picture stay in flash, where the model is read in place: it begins at a multiple of 64 bytes.
  .section .rodata.model_file, "a"
  .balign 64
  .global model_file, model_file_end
model_file:
  .incbin MODEL
model_file_end:

  .section .rodata.picture_file, "a"
  .balign 64
  .global picture_file
picture_file:
  .incbin PICTURE
