/// Text from outside, for logs and reports: cut, and without control characters.
package func brief(_ text: String) -> String { String(text.debugDescription.dropFirst().dropLast().prefix(240)) }

/// An error in a few words; text from outside in it is cut and escaped.
package func brief(_ error: any Error) -> String { brief("\(error)") }
