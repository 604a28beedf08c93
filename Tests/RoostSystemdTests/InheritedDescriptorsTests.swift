import Testing

@testable import RoostSystemd

@Suite("What systemd is said to have passed")
struct InheritedDescriptorsTests {
  private static func fault(_ process: String?, _ count: String?, _ names: String? = nil) -> String? {
    InheritedDescriptors.Variables(process: process, count: count, names: names, isOpen: { $0 < 5 }).fault
  }

  @Test(
    "A bad variable is named with its value and with what is wrong",
    arguments: [
      ("abc", "1", nil, "LISTEN_PID is 'abc', which isn't a process id"),
      ("", "1", nil, "LISTEN_PID is '', which isn't a process id"),
      ("99999999999", "1", nil, "LISTEN_PID is '99999999999', which isn't a process id"),
      ("5", "x", nil, "LISTEN_FDS is 'x', which isn't a number of descriptors"),
      ("5", "-1", nil, "LISTEN_FDS is '-1', which isn't a number of descriptors"),
      ("5", "2147483647", nil, "LISTEN_FDS is '2147483647', which isn't a number of descriptors"),
      ("5", "3", nil, "LISTEN_FDS is '3', but descriptor 5 isn't open"),
      ("5", "2147483640", nil, "LISTEN_FDS is '2147483640', but descriptor 5 isn't open"),
      ("5", "1", "a:b", "LISTEN_FDNAMES is 'a:b', which has 2 names, but LISTEN_FDS is '1'"),
      ("5", "2", "a\\:b", "LISTEN_FDNAMES is 'a\\:b', which has 1 names, but LISTEN_FDS is '2'"),
    ] as [(String?, String?, String?, String)])
  func faults(_ process: String?, _ count: String?, _ names: String?, _ fault: String) {
    #expect(Self.fault(process, count, names) == "\(fault); unset LISTEN_PID if systemd hasn't set it")
  }

  @Test("What is as it should be, or isn't there, has none")
  func none() {
    for names in [nil, "a:b", ":", "a\\:b:c"] { #expect(Self.fault("5", "2", names) == nil) }
    for (process, count) in [(nil, "x"), ("5", nil)] { #expect(Self.fault(process, count) == nil) }
  }
}
