import Glibc
import RoostSystemd

/// What this process was started with. Taken before anything is opened: a descriptor that systemd is said to have
/// passed may not be there, and its number would belong to something else.
struct Inheritance {
  let openFiles: OpenFiles
  private let result: Result<[(descriptor: Int32, name: String)], InheritedDescriptors.Failure>

  init(openFiles: OpenFiles, isUpgrade: Bool) {
    self.openFiles = openFiles
    // After an upgrade the state says what is open.
    result =
      isUpgrade
      ? .success([]) : Result { () throws(InheritedDescriptors.Failure) in try InheritedDescriptors.all() }
  }

  /// The descriptors that systemd has passed, with their names.
  func descriptors() throws(MasterError) -> [(descriptor: Int32, name: String)] {
    do {
      return try result.get()
    } catch {
      throw MasterError(error.description)
    }
  }
}
