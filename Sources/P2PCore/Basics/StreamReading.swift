/// What a read that does not wait has found.
package enum StreamReading<Bytes> {
    case bytes(Bytes)
    case end
    case nothingYet
}
