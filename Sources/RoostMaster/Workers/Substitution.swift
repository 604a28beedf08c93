import RoostConfiguration
import RoostContract
import RoostCore

/// Fills in what is only known when a worker is started.
struct Substitution {
  let id: WorkerID
  /// The directory of its release.
  let directory: String
  let listeners: [PassedListener]
  /// The number of the readiness pipe's descriptor in the worker, if it has one.
  var readyNumber: Int32?

  /// The worker's arguments, argument 0 included.
  func arguments(of release: Release) throws(MasterError) -> CStrings {
    let templates = release.configuration.argumentTemplates
    if templates.isEmpty { return release.arguments }
    var arguments = release.configuration.command
    for argument in templates { arguments[argument.index] = try text(argument.template) }
    return CStrings(arguments)
  }

  /// An environment with these variables over it.
  func fillIn(_ variables: [VariableTemplate], _ environment: [String]) throws(MasterError) -> [String] {
    var assignments: [String] = []
    for variable in variables { assignments.append("\(variable.name)=\(try text(variable.template))") }
    return WorkerEnvironmentBase.merge(environment, assignments)
  }

  private func text(_ template: Template) throws(MasterError) -> String {
    var text = ""
    for segment in template.segments { text += try self.text(segment) }
    return text
  }

  private func text(_ segment: Template.Segment) throws(MasterError) -> String {
    switch segment {
    case .text(let text): return text
    case .descriptor(let name): return "\(WorkerEnvironment.firstListenerDescriptor + Int32(try index(of: name)))"
    case .port(let name):
      guard let port = try address(of: name).port else { throw MasterError("the listener \(name) has no port") }
      return "\(port)"
    case .address(let name): return try address(of: name).bareText
    case .directory: return directory
    case .slot: return "\(id.slot)"
    case .generation: return "\(id.generation.number)"
    case .readyDescriptor:
      guard let readyNumber else { throw MasterError("there is no readiness pipe") }
      return "\(readyNumber)"
    }
  }

  /// systemd may have passed several of one name: the first one is meant.
  private func index(of name: String) throws(MasterError) -> Int {
    guard let index = listeners.firstIndex(where: { $0.name == name }) else {
      throw MasterError("there is no listener \(name)")
    }
    return index
  }

  private func address(of name: String) throws(MasterError) -> SocketAddress {
    guard let address = SocketAddress.local(of: listeners[try index(of: name)].listener.descriptor) else {
      throw MasterError(cannot: "determine the address of the listener \(name)")
    }
    return address
  }

  // MARK: Other supervisors

  /// What Server::Starter would set: `HOST:PORT=FD` or `PATH=FD` for each listener, and `PORT=FD` if it takes all
  /// addresses.
  var serverStarterVariables: [String] {
    let ports = listeners.enumerated().map { index, passed in
      let address = SocketAddress.local(of: passed.listener.descriptor)
      let place = address.map { $0.isAnyIPv6 ? "\($0.port ?? 0)" : $0.bareText } ?? ""
      return "\(place)=\(WorkerEnvironment.firstListenerDescriptor + Int32(index))"
    }
    return [
      "\(WorkerEnvironment.serverStarterPort)=\(ports.joined(separator: ";"))",
      "\(WorkerEnvironment.serverStarterGeneration)=\(id.generation.number)",
    ]
  }

  /// What einhorn would set. The master's pid is that of the worker's parent, which its clients compare.
  func einhornVariables(master: Int32, socket: Int32, path: String?) -> [String] {
    let first = WorkerEnvironment.firstListenerDescriptor
    return listeners.indices.map { "\(WorkerEnvironment.einhornDescriptorPrefix)\($0)=\(first + Int32($0))" } + [
      "\(WorkerEnvironment.einhornCount)=\(listeners.count)",
      "\(WorkerEnvironment.einhornMaster)=\(master)",
      "\(WorkerEnvironment.einhornIndex)=\(id.slot)",
      "\(WorkerEnvironment.einhornSocketDescriptor)=\(socket)",
    ] + (path.map { ["\(WorkerEnvironment.einhornSocketPath)=\($0)"] } ?? [])
  }
}
