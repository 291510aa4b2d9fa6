import Cycles
