extension Duration {
    /// The duration in seconds, for rates and logs.
    public var seconds: Double {
        let parts = self.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }
}
