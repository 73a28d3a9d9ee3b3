import GoopCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension FileFault {
    /// The failure of a command that this means.
    var failure: Failure {
        switch code {
        case ENOENT, ENOTDIR: Failure(.noInput, description, nextStep: "check the path")
        case EACCES, EPERM, EROFS:
            Failure(.permission, description, nextStep: "give yourself access to it, or choose another folder")
        case ENOSPC, EDQUOT: Failure(.cannotCreate, description, nextStep: "make room on that disk")
        default: Failure(.inputOutput, description, nextStep: "check the disk and the path")
        }
    }
}
