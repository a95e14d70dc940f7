def speed(runs): pass
