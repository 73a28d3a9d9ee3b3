/// Waits until this task is cancelled, without a timer.
func untilCancelled() async {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
    // It ends with the task, for nobody else ends it.
    for await _ in stream {}
    withExtendedLifetime(continuation) {}
}
