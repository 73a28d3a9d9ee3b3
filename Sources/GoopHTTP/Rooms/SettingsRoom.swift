import GoopCore
import HTTPTypes
import HummingbirdCore

/// Behind the Settings room: the sheet, `check` and `save`.
struct SettingsRoom: Sendable {
    let desk: (any SettingsDesk)?
    let routes: RoomRoutes

    /// `{"settings":[…],"waiting":[keys],"file","notes":[…],"door":"none|open|closing|shut"}`.
    func sheet() async -> Response {
        guard let desk else { return routes.closed }
        do throws(ConfigurationError) {
            return routes.answer(json(try await desk.settings()))
        } catch {
            return problems(error)
        }
    }

    /// `{"changes":{key: value or null for the default}}` → the sheet, or 400 with `"problems":[{"key","cause","next"}]`.
    func apply(_ object: JSONObject, isOnlyCheck: Bool) async -> Response {
        guard let desk else { return routes.closed }
        guard let changes = object["changes"]?.object else {
            return routes.refuse(.badRequest, "changes are missing", "an object of keys and values")
        }
        let values = Dictionary(changes.members.map { ($0.name, $0.value) }) { _, last in last }
        do throws(ConfigurationError) {
            return routes.answer(json(try await desk.apply(values, isOnlyCheck: isOnlyCheck)))
        } catch {
            return problems(error)
        }
    }

    /// `{"run"}`: a text that no other run of the program has; `closed` if it cannot start itself again.
    func run(_ restarter: (any Restarter)?) -> Response {
        guard let restarter else { return routes.closed }
        return routes.answer(["run": .string(restarter.run)])
    }

    /// Starts the program again → `{"run"}` of the run that ends now; 400 with the problems of settings that would not start.
    func restart(_ restarter: (any Restarter)?) async -> Response {
        guard let restarter else { return routes.closed }
        do throws(ConfigurationError) { try await restarter.check() } catch { return problems(error) }
        var answer = run(restarter)
        let body = answer.body
        // The end of the run would take an answer with it that is not out yet.
        answer.body = ResponseBody(contentLength: body.contentLength) { writer in
            defer { restarter.restart() }
            try await body.write(writer)
        }
        return answer
    }

    private func problems(_ error: ConfigurationError) -> Response {
        let problems = error.problems.map { problem -> JSONValue in
            [
                "key": problem.key.map { .string($0) } ?? .null, "cause": .string(problem.cause),
                "next": .string(problem.nextStep),
            ]
        }
        var response = routes.answer([
            "error": "the settings cannot be used so", "code": .string(DataErrorCode.badRequest.rawValue),
            "detail": .string(error.description), "problems": .array(problems),
        ])
        response.status = .badRequest
        return response
    }

    private func json(_ sheet: SettingsSheet) -> JSONValue {
        let settings = sheet.settings.map { setting -> JSONValue in
            var object: JSONObject = [
                "key": .string(setting.key), "title": .string(setting.title),
                "meaning": .string(setting.meaning), "kind": .string(setting.kind.rawValue),
                "value": setting.value, "standard": setting.standard, "secret": .bool(setting.isSecret),
                "set": .bool(setting.isSet),
            ]
            if !setting.choices.isEmpty { object["choices"] = .array(setting.choices.map { .string($0) }) }
            return .object(object)
        }
        return [
            "settings": .array(settings), "waiting": .array(sheet.waitingForRestart.map { .string($0) }),
            "file": .string(sheet.file), "notes": .array(sheet.notes.map { .string($0) }),
            "door": .string(sheet.outerDoor.rawValue),
        ]
    }
}
