/// What the owner of a viewer may agree to for one site; nothing until then. The names are those in `consents.json`.
public enum SiteConsent: String, Sendable, Hashable, CaseIterable {
    /// The site learns the owner's e-mail address.
    case email
    /// What the site keeps in the browser outlasts the visit, and it may have a service worker.
    case keep
}
