import RoostConfiguration

extension Options {
  func listeners(_ reader: OptionReader) -> [ListenerConfiguration] {
    let backlog = reader.integer("backlog", Limits.backlog).map { Int32($0) } ?? ListenerConfiguration.defaultBacklog
    var listeners: [ListenerConfiguration] = []
    var names: Set<String> = []
    var addresses: [Address: String] = [:]
    let elements = reader.list("listen")
    if elements.count > Limits.listeners {
      reader.report(
        elements[Limits.listeners], "listen",
        "there are \(elements.count) listeners, and a service can have at most \(Limits.listeners)")
    }
    for element in elements.prefix(Limits.listeners) {
      guard let listener = listener(element, backlog: backlog, reader) else { continue }
      if !names.insert(listener.name).inserted {
        reader.report(element, "listen", "there are two listeners named \"\(listener.name)\"; use NAME=ADDRESS")
      } else if !listener.address.isChosenByKernel, let other = addresses[listener.address] {
        reader.report(element, "listen", "\"\(other)\" and \"\(listener.name)\" have the same address")
      }
      if addresses[listener.address] == nil { addresses[listener.address] = listener.name }
      listeners.append(listener)
    }
    return listeners
  }

  private func listener(_ element: Located, backlog: Int32, _ reader: OptionReader) -> ListenerConfiguration? {
    let entries: [OptionEntry]
    switch element.value {
    case .table(let table): entries = table
    case .integer(let port): entries = Self.parts(of: "\(port)", at: element.place)
    case .string, .boolean, .array, .other, .text:
      let what = "an address such as \"http=8080\", or a table with 'name' and 'address'"
      guard let text = reader.string(element, "listen", what) else { return nil }
      entries = Self.parts(of: text, at: element.place)
    }
    let own = OptionReader(entries, known: ListenerConfiguration.options.map(\.name), context: "listen")
    defer { reader.add(own.problems) }
    guard var listener = addressed(own, element) else { return nil }
    listener.backlog = backlog
    own.take(ListenerConfiguration.options, into: &listener, in: directory)
    listener.reuseport = reuseport(own)
    listener.user = own.located("user").flatMap { Users.user($0, "user", own) }
    listener.group = own.located("group").flatMap { Users.group($0, "group", own) }
    checkFit(of: listener.address, own, isTable: element.value.isTable)
    return listener
  }

  private func addressed(_ own: OptionReader, _ element: Located) -> ListenerConfiguration? {
    guard var value = own.located("address") else {
      return own.refuse(
        element, "listen", "'address' is missing, expected one such as \"8080\" or \"unix:/run/web.sock\"")
    }
    if case .integer(let port) = value.value { value = Located(.string("\(port)"), at: value.place) }
    let what = "an address such as \"8080\" or \"unix:/run/web.sock\""
    let read = { [directory] (text: String) throws(ConfigurationError) -> ListenerConfiguration in
      if !element.place.isCommandLine, text.contains("unix:"), !text.contains("unix:/") {
        throw ConfigurationError(
          "the path of \"\(text)\" is relative, expected an absolute one: a service starts in no certain place")
      }
      return try ListenerConfiguration(parsing: text, directory: directory)
    }
    guard var listener = own.parsed(value, "listen", what, read) else { return nil }
    if let name = own.parsed("name", "a name", ListenerName.validate) { listener.name = name }
    return listener
  }

  /// `http=8080,backlog=1024` in parts. A comma that doesn't begin an option belongs to the address.
  private static func parts(of text: String, at place: Place) -> [OptionEntry] {
    var address = Substring(text)
    var options: [OptionEntry] = []
    while let comma = address.lastIndex(of: ",") {
      let part = Located(.text(String(address[address.index(after: comma)...])), at: place)
      guard let option = part.assignment, option.name.allSatisfy({ $0.isLetter || $0 == "-" || $0 == "6" }) else {
        break
      }
      options.append(option)
      address = address[..<comma]
    }
    return [OptionEntry("address", at: place, Located(.string(String(address)), at: place))] + options
  }

  private func checkFit(of address: Address, _ own: OptionReader, isTable: Bool) {
    func reject(_ options: [String], _ reason: String) {
      for option in options where own.has(option) {
        // What stands after [[listen]] belongs to the listener, whomever it was meant for.
        let foreign = isTable && ["user", "group"].contains(option) ? "; \(Self.optionPlace)" : ""
        own.report(option, reason + foreign)
      }
    }
    func checkFit(of host: Address.Host) {
      switch host {
      case .any:
        reject(["freebind"], "has a meaning only with an address: a bare port takes all, also those that come later")
      case .ipv4: reject(["ipv6-only"], "has a meaning only with an IPv6 address or a bare port")
      case .ipv6: break
      }
    }
    switch address {
    case .tcp(let host, _):
      reject(["mode", "user", "group"], "belongs to a unix socket's file, and this listener is TCP")
      checkFit(of: host)
    case .udp(let host, _):
      reject(["mode", "user", "group"], "belongs to a unix socket's file, and this listener is UDP")
      reject(["backlog"], "is the length of an accept queue, and this listener is UDP, which has none")
      checkFit(of: host)
    case .unix:
      reject(["ipv6-only"], "has a meaning only with an IPv6 address or a bare port")
      reject(["freebind", "reuseport"], "belongs to TCP and UDP, and this listener is a unix socket")
    case .systemd:
      reject(
        ["mode", "user", "group", "nonblocking", "ipv6-only", "freebind", "reuseport"],
        "is up to the .socket unit that opens this listener")
    }
  }
}
