import RoostConfiguration

extension Options {
  func metrics(_ reader: OptionReader) -> Address? {
    guard let value = reader.located("metrics") else { return nil }
    let address = reader.parsed(value, "metrics", "an address such as \"127.0.0.1:9100\" or \"unix:/run/web.metrics\"")
    {
      [directory] text throws(ConfigurationError) -> Address in
      if !value.place.isCommandLine, text.hasPrefix("unix:"), !text.hasPrefix("unix:/") {
        throw ConfigurationError(
          "the path of \"\(text)\" is relative, expected an absolute one: a service starts in no certain place")
      }
      return try Address(
        parsing: text, directory: directory,
        examples: "9100, 127.0.0.1:9100, [::1]:9100 or unix:/run/web.metrics")
    }
    switch address {
    case .systemd:
      return reader.refuse(value, "metrics", "the master opens this address itself, expected one without \"systemd:\"")
    case .udp:
      return reader.refuse(value, "metrics", "metrics are read over HTTP, expected an address without \"udp:\"")
    case .tcp, .unix, nil: return address
    }
  }
}
