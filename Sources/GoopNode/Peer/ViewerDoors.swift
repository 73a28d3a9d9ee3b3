import GoopCore
import GoopHTTP
import Multiformats

/// What the settings say of the viewer's doors, as a start needs it.
struct ViewerDoors: Sendable {
    /// On this machine.
    var own: ViewerAddress
    /// For other machines; nil: there is none.
    var outer: OuterDoorConfiguration?
    /// The settings have an outer door, but everything is to stay on this machine.
    var isOuterWithheld = false

    /// - Parameter isLocal: everything is to stay on this machine.
    /// - Throws: every problem of the keys; the files they name are looked at by `OuterDoorConfiguration.checkFiles`.
    init(_ viewer: GoopConfiguration.Viewer, folder: PeerFolder, isLocal: Bool) throws(ConfigurationError) {
        let reach = try ViewerReach(viewer)
        own = reach.own
        guard var access = reach.outer else { return }
        guard !isLocal || access.address.ip?.isLoopback == true else {
            isOuterWithheld = true
            return
        }
        if access.isEncrypted {
            access.certificate = folder.resolve(access.certificate)
            access.key = folder.resolve(access.key)
        }
        guard let password = ViewerPassword.hash(access.password) else {
            throw ConfigurationError(problems: [
                ConfigurationProblem(key: "viewer.password", cause: "cannot be hashed", nextStep: "choose another one")
            ])
        }
        outer = OuterDoorConfiguration(access: access, password: password)
    }
}
