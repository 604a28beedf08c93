struct UnitExamination {
  static let properties: [String] = ["Type"]
  init(_ name: String, report: DoctorReport) {}
  func run(_ given: RunCommand) throws {}
}
