import Hummingbird
import RoostHummingbird

let router = Router()
router.get("/") { _, _ in "Hello\n" }
router.get("/slow") { _, _ in
  try await Task.sleep(for: .seconds(2))
  return "Hello, late\n"
}

let port = Environment().get("PORT", as: Int.self) ?? 8080
let app = Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: port)))
try await app.runUnderRoost()
