import CRoostSpawn
import Glibc
import RoostCore
import RoostHandoff

/// Starts workers: gives each its environment, its descriptors and its channels.
struct Spawner {
  private let service: String
  private let arguments: CStrings
  private let inherited: [String]
  private let hasReadinessPipe: Bool
  private let parentDeathSignal: Int32

  /// A spawner for a command of a service. The environment is the master's own, without what is private to it.
  init(service: String, command: [String], hasReadinessPipe: Bool, parentDeathSignal: Int32) {
    self.service = service
    self.arguments = CStrings(command)
    self.hasReadinessPipe = hasReadinessPipe
    self.parentDeathSignal = parentDeathSignal
    inherited = Self.environment().filter { assignment in
      // By bytes: characters would bring tables of Unicode into the master's memory, here and wherever it reads text.
      let name = String(decoding: assignment.utf8.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
      return !WorkerEnvironment.isPrivateToMaster(name) && name != "PWD" && name != "OLDPWD"
    }
  }

  /// Starts a worker. Returns when it runs its command.
  func spawn(_ id: WorkerID, release: Release, listeners: [Listener]) throws(MasterError) -> WorkerProcess {
    let notifySocket = try NotifySocket(service: service, worker: id.number)
    let pipe = hasReadinessPipe ? try ReadinessPipe() : nil
    var descriptors = listeners.map { $0.descriptor.number }
    var environment = inherited + assignments(for: id, release, listeners, notifySocket)
    if let number = pipe?.writeNumber {
      let readyNumber = WorkerEnvironment.firstListenerDescriptor + Int32(descriptors.count)
      environment.append("\(WorkerEnvironment.readyDescriptor)=\(readyNumber)")
      descriptors.append(number)
    }
    let result = execute(release, CStrings(environment), descriptors)
    guard result.pid > 0 else { throw error(result, release) }
    pipe?.closeWriteEnd()
    return WorkerProcess(id: id, pid: result.pid, notifySocket: notifySocket, readinessPipe: pipe)
  }

  private func assignments(
    for id: WorkerID, _ release: Release, _ listeners: [Listener], _ notifySocket: NotifySocket
  ) -> [String] {
    var assignments = [
      "PWD=\(release.directory)",
      "\(WorkerEnvironment.notifySocket)=\(notifySocket.address)",
      "\(WorkerEnvironment.service)=\(service)",
      "\(WorkerEnvironment.slot)=\(id.slot)",
      "\(WorkerEnvironment.generation)=\(id.generation.number)",
    ]
    if !listeners.isEmpty {
      assignments.append("\(WorkerEnvironment.listenerCount)=\(listeners.count)")
      assignments.append("\(WorkerEnvironment.listenerNames)=\(listeners.map(\.name).joined(separator: ":"))")
    }
    // Room for the digits of any pid: only the child knows its own.
    assignments.append("\(WorkerEnvironment.listenerProcess)=0000000000")
    return assignments
  }

  private func execute(_ release: Release, _ environment: CStrings, _ descriptors: [Int32]) -> roost_spawn_result {
    var scratch = [Int32](repeating: -1, count: max(descriptors.count, 1))
    let ownPid = environment.value(of: WorkerEnvironment.listenerProcess)
    return descriptors.withUnsafeBufferPointer { descriptors in
      scratch.withUnsafeMutableBufferPointer { scratch in
        release.executable.withCString { path in
          release.directory.withCString { directory in
            var none: Int32 = 0
            return withUnsafePointer(to: &none) { none in
              var request = roost_spawn_request(
                path: path, arguments: arguments.pointers, environment: environment.pointers, own_pid: ownPid,
                directory: directory, descriptors: descriptors.baseAddress ?? none, scratch: scratch.baseAddress!,
                descriptor_count: descriptors.count, parent_death_signal: parentDeathSignal)
              return roost_spawn(&request)
            }
          }
        }
      }
    }
  }

  private func error(_ result: roost_spawn_result, _ release: Release) -> MasterError {
    let operation =
      switch result.failed_step {
      case ROOST_SPAWN_STACK: "get memory for a worker"
      case ROOST_SPAWN_CLONE: "create a process"
      case ROOST_SPAWN_GROUP: "give the worker a process group"
      case ROOST_SPAWN_STDIN: "open /dev/null for the worker"
      case ROOST_SPAWN_DESCRIPTORS: "pass the listeners to the worker"
      case ROOST_SPAWN_SIGNALS: "reset the worker's signals"
      case ROOST_SPAWN_DIRECTORY: "enter the directory \(release.directory)"
      case ROOST_SPAWN_PARENT: "set the worker's parent-death signal"
      default: "execute \(release.executable)"
      }
    let isExecution = result.failed_step == ROOST_SPAWN_EXECUTE
    // The file itself was seen when the generation was prepared: what doesn't exist is what its first line names.
    let hint =
      switch result.error {
      case ENOENT where isExecution: "is the interpreter in its first line installed?"
      case ENOEXEC where isExecution: "a script needs a first line such as #!/bin/sh"
      default: nil as String?
      }
    return MasterError(cannot: operation, result.error, hint: hint)
  }

  private static func environment() -> [String] {
    var assignments: [String] = []
    var next = environ
    while let assignment = next.pointee {
      assignments.append(String(cString: assignment))
      next += 1
    }
    return assignments
  }
}
