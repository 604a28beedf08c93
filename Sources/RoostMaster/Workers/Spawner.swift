import Glibc
import RoostConfiguration
import RoostContract
import RoostCore

/// Starts workers and hooks: gives each its environment, its descriptors and its channels.
final class Spawner {
  /// A start that fails after this time was held up by a file system that hangs, and has held up the master.
  private static let longStart: Duration = .seconds(2)
  /// How long nothing else is started then: each start would hold up the master as long again.
  private static let rest: Duration = .seconds(10)

  private let service: String
  private let relay: OutputRelay
  private let openFiles: OpenFiles
  /// Where workers live, if there is such a place.
  private let cgroups: Cgroups?
  private let mounts: MountTable
  private var restUntil: Instant?

  init(
    service: String, relay: OutputRelay, openFiles: OpenFiles, cgroups: Cgroups? = nil,
    mounts: MountTable = MountTable()
  ) {
    self.cgroups = cgroups
    self.mounts = mounts
    self.service = service
    self.relay = relay
    self.openFiles = openFiles
  }

  /// Starts a worker. Returns when it runs its command.
  func spawn(
    _ id: WorkerID, release: Release, listeners: [PassedListener], einhornPath: String?
  ) throws(MasterError) -> WorkerProcess {
    let configuration = release.configuration
    // Before the worker starts, so that its socket is there when it looks.
    for passed in listeners { try passed.listener.openSockets(upTo: id.slot) }
    let notifySocket = try NotifySocket(service: service, worker: id.number)
    let pipe = configuration.readinessChannel == .pipe ? try ReadinessPipe() : nil
    var descriptors = listeners.map { $0.listener.number(slot: id.slot) }
    var environment = release.environment + assignments(for: id, release, listeners, notifySocket)
    var substitution = Substitution(id: id, directory: release.directory, listeners: listeners)
    if let number = pipe?.pipe.writeNumber {
      let readyNumber = WorkerEnvironment.firstListenerDescriptor + Int32(descriptors.count)
      substitution.readyNumber = readyNumber
      environment.append("\(WorkerEnvironment.readyDescriptor)=\(readyNumber)")
      descriptors.append(number)
    }
    var einhornChannel: EinhornChannel?
    for compatibility in configuration.compatibility {
      switch compatibility {
      case .serverStarter: environment += substitution.serverStarterVariables
      case .einhorn:
        let channel = try EinhornChannel()
        einhornChannel = channel
        let socket = WorkerEnvironment.firstListenerDescriptor + Int32(descriptors.count)
        environment += substitution.einhornVariables(master: getpid(), socket: socket, path: einhornPath)
        if let number = channel.workerNumber { descriptors.append(number) }
      }
    }
    environment = try substitution.fillIn(configuration.variableTemplates, environment)
    let output = try relay.channels(for: id, configuration)
    let assignments = CStrings(environment: environment)
    var request = try ProcessRequest(
      release, release.executable, try substitution.arguments(of: release), assignments, output)
    request.executableFile = release.executableFile?.number ?? -1
    request.descriptors = descriptors
    request.ownPid = assignments.value(of: WorkerEnvironment.listenerProcess)
    request.umask = configuration.umask
    request.nice = configuration.nice.map { Int32($0) }
    // In this order: the last one counts.
    request.limits = limits(.worker(id.number)) + configuration.limits
    let cgroup = cgroups?.make(for: id)
    do {
      let (pid, followed) = try start(request, in: cgroup, output, configuration.output == .prefixed ? id : nil)
      pipe?.pipe.closeWriteEnd()
      einhornChannel?.closeWorkerEnd()
      return WorkerProcess(
        id: id, pid: pid, release: release, WorkerConversation(notifySocket, pipe, einhornChannel), output: followed,
        cgroup: cgroup)
    } catch {
      if let cgroup { cgroups?.remove(cgroup) }
      throw error
    }
  }

  private func start(
    _ request: ProcessRequest, in cgroup: WorkerCgroup? = nil, _ output: OutputChannels, _ id: WorkerID? = nil
  ) throws(MasterError) -> (pid_t, WorkerOutput) {
    let began = Clock.now()
    if let restUntil, began < restUntil {
      throw MasterError("cannot execute \(request.executable): the start of another process has just taken too long")
    }
    let followed = try relay.follow(output, id)
    var request = request
    let entrance = Descriptor(adopting: cgroup?.entrance() ?? -1)
    request.cgroup = entrance.number
    request.mayHang = mounts.mayHang
    do {
      let pid = try request.start()
      output.closeWriteEnds()
      return (pid, followed)
    } catch {
      relay.forget(followed)
      let now = Clock.now()
      if now - began >= Self.longStart { restUntil = now + Self.rest }
      throw error
    }
  }

  /// Starts one of the operator's commands with these variables, as the workers' user and in their directory.
  func run(
    _ command: [String], as origin: ProcessMark.Origin, _ resolver: ReleaseResolver, release: Release,
    _ variables: [String]
  ) throws(MasterError) -> CommandProcess {
    let executable = try resolver.executable(command[0], of: release)
    let output = try relay.capture(release.configuration)
    let environment = CStrings(
      environment: release.environment + ["PWD=\(release.directory)", "\(WorkerEnvironment.service)=\(service)"]
        + variables)
    var request = try ProcessRequest(release, executable, CStrings(command), environment, output)
    request.limits = limits(origin)
    let (pid, followed) = try start(request, output)
    return CommandProcess(pid: pid, output: followed)
  }

  private func limits(_ origin: ProcessMark.Origin) -> [ResourceLimit] {
    [openFiles.forWorkers] + [ProcessMark(origin).limit].compactMap(\.self)
  }

  private func assignments(
    for id: WorkerID, _ release: Release, _ listeners: [PassedListener], _ notifySocket: NotifySocket
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
}

extension ProcessRequest {
  /// A process of a release, with its user, directory and stop signal.
  fileprivate init(
    _ release: Release, _ executable: String, _ arguments: CStrings, _ environment: CStrings,
    _ output: OutputChannels
  ) throws(MasterError) {
    // It could be entered, but nothing is in it: whatever the worker said then wouldn't reveal the reason.
    if release.directoryFile?.isRemoved == true {
      throw MasterError("cannot enter the directory \(release.directory): it was deleted")
    }
    self.init(
      executable: executable, arguments: arguments, environment: environment, directory: release.directory,
      standardOutput: output.standardOutput?.writeNumber ?? -1, standardError: output.standardError?.writeNumber ?? -1,
      parentDeathSignal: release.configuration.stopSignal.number, identity: release.configuration.identity)
    directoryFile = release.directoryFile?.number ?? -1
  }
}
