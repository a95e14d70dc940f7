"""Named sets of experiments: planned from conf/sweep/, run by DVC's queue, judged against the recorded baseline."""
