import RoostWorker

// Before the event loops start their threads: they inherit the mask that keeps the signal for this.
let stopSignal = StopSignal()
DemoWorker.main(stopSignal: stopSignal)
