/// The interface that every Varlink service has: what it is, and what it can do.
package enum VarlinkService {
  package static let name = "org.varlink.service"
  package static let getInfo = "org.varlink.service.GetInfo"
  package static let getInterfaceDescription = "org.varlink.service.GetInterfaceDescription"

  package static let interfaceNotFound = "org.varlink.service.InterfaceNotFound"
  package static let methodNotFound = "org.varlink.service.MethodNotFound"
  package static let invalidParameter = "org.varlink.service.InvalidParameter"
  package static let permissionDenied = "org.varlink.service.PermissionDenied"
  /// The method replies several times, and the client didn't ask for more than one.
  package static let expectedMore = "org.varlink.service.ExpectedMore"

  /// As https://varlink.org/Service has it, with the errors that systemd has added.
  package static let description = """
    # The Varlink Service Interface is provided by every varlink service. It
    # describes the service and the interfaces it implements.
    interface org.varlink.service

    # Get a list of all the interfaces a service provides and information
    # about the implementation.
    method GetInfo() -> (
      vendor: string,
      product: string,
      version: string,
      url: string,
      interfaces: []string
    )

    # Get the description of an interface that is implemented by this service.
    method GetInterfaceDescription(interface: string) -> (description: string)

    # The requested interface was not found.
    error InterfaceNotFound (interface: string)

    # The requested method was not found
    error MethodNotFound (method: string)

    # The interface defines the requested method, but the service does not
    # implement it.
    error MethodNotImplemented (method: string)

    # One of the passed parameters is invalid.
    error InvalidParameter (parameter: string)

    # Client is denied access
    error PermissionDenied ()

    # Method is expected to be called with 'more' set to true, but wasn't
    error ExpectedMore ()

    """
}
