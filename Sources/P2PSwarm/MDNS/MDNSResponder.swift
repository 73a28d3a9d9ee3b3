package import Logging
package import Multiformats
package import NIOCore
package import P2PCore
package import PeerIdentity

/// Runs an `MDNSMachine` on real sockets: one for each link, opened and closed as interfaces come and go.
///
/// Lives on one event loop, which also calls `onEvent`; its own functions can be called from anywhere.
package final class MDNSResponder: Sendable {
    /// What is reported.
    package enum Event: Hashable, Sendable {
        case discovered(MDNSDiscovery)
        case lost(PeerID, MDNSLossReason)
        case namesake([Multiaddr])
    }

    private let eventLoop: any EventLoop
    private let core: NIOLoopBoundBox<Core>
    private let watch: InterfaceWatch

    /// - Parameters:
    ///   - serviceName: one or more labels without `local`.
    ///   - speaksOn: whether to use an interface at all; there is not even a socket on others.
    ///   - onInterfacesChanged: called after each change, when the node's own addresses may have changed too.
    /// - Throws: `DNSError.badName` for a service name that is none.
    package init(
        serviceName: String, peer: PeerID, eventLoop: any EventLoop, logger: Logger,
        speaksOn: @escaping @Sendable (NetworkInterface) -> Bool = { _ in true },
        onInterfacesChanged: @escaping @Sendable () -> Void = {}, onEvent: @escaping @Sendable (Event) -> Void
    ) throws(DNSError) {
        let machine = try MDNSMachine(
            serviceName: serviceName, peer: peer, randomness: SystemRandomNumberGenerator())
        self.eventLoop = eventLoop
        let core = NIOLoopBoundBox.makeBoxSendingValue(
            Core(machine: machine, eventLoop: eventLoop, logger: logger, onEvent: onEvent), eventLoop: eventLoop)
        self.core = core
        self.watch = InterfaceWatch(eventLoop: eventLoop) { interfaces in
            core.value.interfacesChanged(interfaces.filter(speaksOn))
            onInterfacesChanged()
        }
    }

    /// Begins to ask, answer and announce.
    package func start(listening: [Multiaddr]) {
        eventLoop.execute { [self] in core.value.listening(listening) }
        // Not from within that turn of the loop: a `stop` right behind this call would come first, and end nothing.
        watch.start()
    }

    /// Takes the addresses the node listens on now.
    package func listening(_ addresses: [Multiaddr]) {
        eventLoop.execute { [self] in core.value.listening(addresses) }
    }

    /// Says goodbye and closes; done when the packets have left.
    package func stop() -> EventLoopFuture<Void> {
        watch.stop().flatMap { [self] in core.value.stop() }
    }

    /// What happened to received packets so far.
    package func counts() -> EventLoopFuture<MDNSCounts> {
        eventLoop.submit { [self] in core.value.machine.counts }
    }
}

extension MDNSResponder {
    /// The state on the event loop. No decision of the protocol is made here.
    private final class Core {
        private(set) var machine: MDNSMachine<SystemRandomNumberGenerator>
        private let eventLoop: any EventLoop
        private let logger: Logger
        private let onEvent: @Sendable (Event) -> Void

        private var sockets: [MDNSLink: any Channel] = [:]
        private var interfaces: [NetworkInterface] = []
        private var addresses: [Multiaddr] = []
        private var isStarted = false
        private var isStopped = false
        private var isOpening = false
        private var mustReopen = false
        private var retry: Scheduled<Void>?
        private var timer: (at: MonotonicInstant, task: Scheduled<Void>)?

        init(
            machine: MDNSMachine<SystemRandomNumberGenerator>, eventLoop: any EventLoop, logger: Logger,
            onEvent: @escaping @Sendable (Event) -> Void
        ) {
            self.machine = machine
            self.eventLoop = eventLoop
            self.logger = logger
            self.onEvent = onEvent
        }

        private var now: MonotonicInstant { MonotonicInstant(nanoseconds: NIODeadline.now().uptimeNanoseconds) }

        func listening(_ addresses: [Multiaddr]) {
            self.addresses = addresses
            perform(machine.listeningChanged(addresses, now: now))
        }

        func interfacesChanged(_ current: [NetworkInterface]) {
            interfaces = Array(current.prefix(MDNSMachine<SystemRandomNumberGenerator>.maximumInterfaces))
            matchSockets()
        }

        /// Opens and closes sockets until there is one for each link, and then tells the machine.
        private func matchSockets() {
            guard !isStopped else { return }
            guard !isOpening else {
                mustReopen = true
                return
            }
            let wanted = wantedLinks
            for (link, socket) in sockets where wanted[link] == nil {
                sockets[link] = nil
                socket.close(promise: nil)
            }
            isOpening = true
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            let openings = wanted.filter { sockets[$0.key] == nil }.map { link, interface in
                let source = interface.isLoopback ? interface.addresses.first?.address : nil
                return MDNSSocket.open(link, source: source, on: eventLoop) { bytes, source in
                    bound.value.received(bytes, on: link, from: source)
                }.map { bound.value.opened(link, $0) }.flatMapErrorThrowing { bound.value.refused(link, $0) }
            }
            EventLoopFuture.andAllComplete(openings, on: eventLoop).whenComplete { _ in
                bound.value.socketsMatched()
            }
        }

        private var wantedLinks: [MDNSLink: NetworkInterface] {
            var wanted: [MDNSLink: NetworkInterface] = [:]
            for interface in interfaces {
                for link in MDNSLink.links(of: interface) { wanted[link] = interface }
            }
            return wanted
        }

        private func opened(_ link: MDNSLink, _ socket: any Channel) {
            guard !isStopped else { return socket.close(promise: nil) }
            sockets[link] = socket
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            socket.closeFuture.whenComplete { _ in
                guard bound.value.sockets[link] === socket else { return }
                bound.value.sockets[link] = nil
                bound.value.tellMachine()
            }
        }

        private func refused(_ link: MDNSLink, _ error: any Error) {
            logger.debug(
                "no socket for Multicast DNS",
                metadata: ["interface": "\(link.interface)", "family": "\(link.family)", "reason": "\(error)"])
        }

        private func socketsMatched() {
            isOpening = false
            tellMachine()
            guard mustReopen else { return }
            mustReopen = false
            matchSockets()
        }

        /// A link without a socket does not exist for the machine; when it gets one it is asked and told anew.
        private func tellMachine() {
            guard !isStopped else { return }
            let missing = Set(wantedLinks.keys).subtracting(sockets.keys)
            if !missing.isEmpty { retrySoon() }
            if isStarted {
                perform(machine.interfacesChanged(interfaces, unusable: missing, now: now))
            } else {
                isStarted = true
                perform(machine.start(interfaces: interfaces, unusable: missing, listening: addresses, now: now))
            }
        }

        private func retrySoon() {
            guard retry == nil, !isStopped else { return }
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            retry = eventLoop.scheduleTask(in: .seconds(5)) {
                bound.value.retry = nil
                bound.value.matchSockets()
            }
        }

        private func received(_ bytes: [UInt8], on link: MDNSLink, from source: MDNSEndpoint) {
            perform(machine.received(bytes, on: link, from: source, now: now))
        }

        private func timerFired() {
            timer = nil
            perform(machine.timerFired(now: now))
        }

        private func perform(_ actions: [MDNSAction]) {
            for action in actions {
                switch action {
                case .multicast(let bytes, let link):
                    send(bytes, on: link, to: MDNSEndpoint(link.family.group, port: 5353))
                case .unicast(let bytes, let link, let destination):
                    send(bytes, on: link, to: destination)
                case .discovered(let discovery):
                    onEvent(.discovered(discovery))
                case .lost(let peer, let reason):
                    onEvent(.lost(peer, reason))
                case .namesake(let addresses):
                    onEvent(.namesake(addresses))
                }
            }
            setTimer()
        }

        private func send(_ bytes: [UInt8], on link: MDNSLink, to destination: MDNSEndpoint) {
            guard let socket = sockets[link], let refusal = MDNSSocket.send(bytes, on: socket, to: destination)
            else { return }
            logger.debug(
                "Multicast DNS packet not sent",
                metadata: ["interface": "\(link.interface)", "family": "\(link.family)", "errno": "\(refusal)"])
        }

        private func setTimer() {
            let next = machine.nextDeadline
            guard next != timer?.at else { return }
            timer?.task.cancel()
            timer = nil
            guard let next else { return }
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            let task = eventLoop.scheduleTask(deadline: .uptimeNanoseconds(next.nanoseconds)) {
                bound.value.timerFired()
            }
            timer = (next, task)
        }

        func stop() -> EventLoopFuture<Void> {
            guard !isStopped else { return eventLoop.makeSucceededVoidFuture() }
            perform(machine.stop(now: now))
            isStopped = true
            timer?.task.cancel()
            retry?.cancel()
            let closing = Array(sockets.values)
            sockets = [:]
            return EventLoopFuture.andAllComplete(closing.map { $0.close() }, on: eventLoop)
        }
    }
}
