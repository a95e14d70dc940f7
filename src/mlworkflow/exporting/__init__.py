"""A bundle in the form that others take: `mlworkflow export docker`, `kubernetes`, `mlflow`, `onnx`."""
