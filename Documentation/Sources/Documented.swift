@_exported import Cycles
@_exported import CyclesTesting
