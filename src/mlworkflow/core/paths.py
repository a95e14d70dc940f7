"""Every file's path, once, from the repository root."""

from __future__ import annotations

from pathlib import Path

CONF = Path("conf")
SWEEPS = Path("conf/sweep")
PARAMS = Path("params.yaml")
PIPELINE = Path("dvc.yaml")
LOCK = Path("dvc.lock")

SNAPSHOTS = Path("data/source")
RAW = Path("data/raw/table.parquet")
PROVENANCE = Path("data/raw/provenance.json")
SCHEMA = Path("data/prepared/schema.json")
TRAIN_ROWS = Path("data/prepared/train.parquet")
TEST_ROWS = Path("data/prepared/test.parquet")
TRAIN = Path("data/features/train.parquet")
TEST = Path("data/features/test.parquet")
FEATURES = Path("data/features/schema.json")
PRODUCTION = Path("data/production")

BASELINES = Path("models/baselines.skops")
MODEL = Path("models/model.skops")
BUNDLE = Path("models/bundle")

TRIALS = Path("tuning/trials.csv")
BEST_PARAMS = Path("tuning/best_params.yaml")
INFLUENCE = Path("tuning/influence.csv")
CHOICE = Path("tuning/choice.json")
JOURNAL = Path("tuning/journal")  # of a search that runs or was stopped: untracked
OUT_OF_FOLD = Path("training/out_of_fold.parquet")
THRESHOLD = Path("training/threshold.json")
LEARNING_CURVE = Path("training/learning_curve.csv")
PREDICTIONS = Path("evaluation/predictions.parquet")
REFITS = Path("evaluation/refits.parquet")
INTERVALS = Path("evaluation/intervals.json")
FINDINGS = Path("evaluation/findings.json")
PLOTS = Path("evaluation/plots")

BASELINE_METRICS = Path("metrics/baseline.json")
CV_METRICS = Path("metrics/cv.json")
TEST_METRICS = Path("metrics/test.json")
DECISION = Path("metrics/decision.json")
DRIFT = Path("metrics/drift.json")

PROBLEM_PAGE = Path("reports/problem.md")
LEDGER = Path("reports/ledger.csv")
EXPLORE_PAGE = Path("reports/explore.html")
DATA_FINDINGS = Path("reports/findings.json")
MONITOR_PAGE = Path("reports/monitor.html")
INDEX_PAGE = Path("reports/index.html")
SWEEP_PAGE = Path("reports/sweep.html")
SWEEP_TABLE = Path("reports/sweep.csv")

TIMINGS = Path("timings")  # measured times: untracked, no output rests on one
PREDICTION_TIME = TIMINGS / "prediction.json"
