import RoostWorker

let stopSignal = StopSignal()
DemoWorker.main(stopSignal: stopSignal)
