"""The fitted pipeline as ONNX: raw columns with features in, probabilities or values out, all in double precision."""
