import RoostConfiguration

/// A listener as the workers of one generation get it: another generation may give it another name.
struct PassedListener {
  let configuration: ListenerConfiguration
  let listener: Listener

  var name: String { configuration.name }
}

extension PassedListener {
  init(_ listener: Listener) {
    self.init(configuration: listener.configuration, listener: listener)
  }
}
