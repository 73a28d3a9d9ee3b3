import GoopCore

extension PeerFolder {
    /// What is wrong with settings under which visitors would be shown the key, the settings or the databases, because these
    /// lie in the site's folder; nil if they do not. Links are followed.
    func secretInTheSite(_ configuration: GoopConfiguration) -> ConfigurationProblem? {
        let root = FolderPath.plain(resolve(configuration.paths.siteRoot))
        var secrets = [
            ("paths.site_root", "the settings", configurationFile), ("paths.site_root", "the tables", databaseFile),
            ("paths.site_root", "what this peer knows of others", peersDatabase),
            ("identity.key_file", "the identity", resolve(configuration.identity.keyFile)),
        ]
        if !configuration.viewer.tlsKey.isEmpty {
            secrets.append(("viewer.tls_key", "the viewer's private key", resolve(configuration.viewer.tlsKey)))
        }
        for (key, what, path) in secrets where FolderPath.rest(of: FolderPath.plain(path), in: root) != nil {
            return ConfigurationProblem(
                key: key, cause: "visitors would be shown \(what): \(path) lies in the site's folder, \(root)",
                nextStep: key == "paths.site_root"
                    ? "name a folder that holds the site and nothing else, for example \"site\""
                    : "move that file out of the site, for example into \"data\", and name it there")
        }
        return nil
    }
}
