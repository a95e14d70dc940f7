"""An experiment becomes what a plain run means: its choices are written into conf/."""
