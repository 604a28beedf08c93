import CRoostSpawn
import Glibc
import RoostConfiguration

/// A process that the master is about to start, and everything that it gets.
struct ProcessRequest {
  let executable: String
  let arguments: CStrings
  let environment: CStrings
  let directory: String
  /// An open descriptor of the directory, by which it is entered wherever its path leads; -1 for none.
  var directoryFile: Int32 = -1
  /// An open descriptor of the executable, for when its path no longer leads to it; -1 for none.
  var executableFile: Int32 = -1
  /// They become 3, 4, … in the process.
  var descriptors: [Int32] = []
  /// The descriptors keep their numbers instead.
  var keepsNumbers = false
  /// -1 for the master's own.
  var standardOutput: Int32 = -1
  /// -1 for the master's own.
  var standardError: Int32 = -1
  /// Where in the environment the process writes its pid.
  var ownPid: UnsafeMutablePointer<CChar>?
  var parentDeathSignal = SIGKILL
  /// The open `cgroup.procs` of the cgroup that it enters; -1 for the master's own.
  var cgroup: Int32 = -1
  var identity: Identity?
  var limits: [ResourceLimit] = []
  var umask: UInt32?
  var nice: Int32?
  /// Whether the signals that the master manages stay blocked: what reaches all processes of a service, as by
  /// 'systemctl kill', is meant for the master and not for what it does on the side.
  var keepsSignalMask = false
  /// Whether the executable, or the directory, may be on a file system that hangs: then a slower way of starting a
  /// process keeps the master from being held up.
  var mayHang = false

  /// Starts the process. Returns its pid when it runs the executable.
  func start() throws(MasterError) -> pid_t {
    let result = spawn()
    guard result.pid > 0 else { throw error(result) }
    return result.pid
  }

  private func spawn() -> roost_spawn_result {
    // What C reads, in memory that lasts until the process runs; never empty, so that there is an address.
    var scratch = descriptors + [0]
    let groups = (identity?.supplementaryGroups ?? []) + [0]
    let limits = limits.map(roost_spawn_limit.init) + [roost_spawn_limit()]
    return executable.withCString { path in
      directory.withCString { directory in
        (descriptors + [0]).withUnsafeBufferPointer { descriptors in
          scratch.withUnsafeMutableBufferPointer { scratch in
            groups.withUnsafeBufferPointer { groups in
              limits.withUnsafeBufferPointer { limits in
                var who = roost_spawn_identity(
                  user: identity?.user ?? 0, group: identity?.group ?? 0,
                  supplementary_groups: groups.baseAddress!, supplementary_group_count: groups.count - 1)
                return withUnsafePointer(to: &who) { who in
                  var request = roost_spawn_request(
                    path: path, executable_file: executableFile, arguments: arguments.pointers,
                    environment: environment.pointers, own_pid: ownPid,
                    directory: directory, directory_file: directoryFile,
                    descriptors: descriptors.baseAddress!, scratch: scratch.baseAddress!,
                    descriptor_count: descriptors.count - 1, keeps_numbers: keepsNumbers,
                    standard_output: standardOutput,
                    standard_error: standardError, parent_death_signal: parentDeathSignal,
                    cgroup: cgroup,
                    identity: identity == nil ? nil : who, limits: limits.baseAddress!,
                    limit_count: limits.count - 1, mode_mask: umask.map { Int32($0) } ?? -1,
                    may_hang: mayHang || !PassedDescriptors.areLetGo, keeps_signal_mask: keepsSignalMask,
                    nice: nice ?? Int32(ROOST_SPAWN_SAME_NICE))
                  return roost_spawn(&request)
                }
              }
            }
          }
        }
      }
    }
  }

  private func error(_ result: roost_spawn_result) -> MasterError {
    let operation =
      switch result.failed_step {
      case ROOST_SPAWN_PIPE: "make a pipe to a process"
      case ROOST_SPAWN_CLONE: "create a process"
      case ROOST_SPAWN_GROUP: "give the process a session"
      case ROOST_SPAWN_STDIN: "open /dev/null for the process"
      case ROOST_SPAWN_OUTPUT: "pass on what the process writes"
      case ROOST_SPAWN_DESCRIPTORS: "pass the listeners to the process"
      case ROOST_SPAWN_SIGNALS: "reset the process's signals"
      case ROOST_SPAWN_PRIORITY: "set the nice value \(nice ?? 0)"
      case ROOST_SPAWN_LIMITS: "set the resource limits"
      case ROOST_SPAWN_GROUPS: "join the groups of the worker's user"
      case ROOST_SPAWN_USER: "become the user \(identity?.user ?? 0)"
      case ROOST_SPAWN_DIRECTORY: "enter the directory \(directory)"
      case ROOST_SPAWN_PARENT: "set the parent-death signal"
      case ROOST_SPAWN_TIME: "execute \(executable) in \(directory)"
      default: "execute \(executable)"
      }
    let isExecution = result.failed_step == ROOST_SPAWN_EXECUTE
    // If the file is there, what its first line names doesn't exist.
    let hint =
      switch result.error {
      case ENOENT where isExecution && access(executable, F_OK) == 0: "is the interpreter in its first line installed?"
      case ENOEXEC where isExecution: "a script needs a first line such as #!/bin/sh"
      case E2BIG where isExecution:
        "arguments and environment together may use a quarter of the stack limit, each string 128 KiB, see execve(2)"
      case EPERM where result.failed_step == ROOST_SPAWN_LIMITS:
        "raising a hard limit needs CAP_SYS_RESOURCE, and fs.nr_open bounds open-files"
      case EACCES where result.failed_step == ROOST_SPAWN_PRIORITY: "lowering a nice value needs CAP_SYS_NICE"
      case ETIMEDOUT where result.failed_step == ROOST_SPAWN_TIME: "does a file system hang?"
      case EACCES where identity != nil: "as user \(identity?.user ?? 0)"
      default: nil as String?
      }
    return MasterError(cannot: operation, result.error, hint: hint)
  }
}

extension roost_spawn_limit {
  fileprivate init(_ limit: ResourceLimit) {
    self.init(resource: limit.resource, soft: limit.soft ?? .max, hard: limit.hard ?? .max)
  }
}
