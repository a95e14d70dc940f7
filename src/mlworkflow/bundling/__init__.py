"""What the stage `package` makes beside the fitted pipeline: its ONNX form, its hashes, the model card."""
