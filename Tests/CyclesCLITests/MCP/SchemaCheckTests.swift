import Cycles
import Testing

@testable import CyclesCLI

@Suite struct SchemaCheckTests {
    private let schema: JSONValue = [
        "type": "object",
        "properties": [
            "count": ["type": "integer", "minimum": 0], "name": ["type": "string", "enum": ["a", "b"]],
            "list": ["type": "array", "maxItems": 2, "items": ["type": "string", "maxLength": 3]],
            "flag": ["type": "boolean"], "free": ["type": "object"],
            "texts": ["type": "object", "additionalProperties": ["type": "string"]],
        ], "required": ["count"], "additionalProperties": false,
    ]

    private func defect(_ value: JSONValue) -> String? {
        do throws(SchemaCheck.Defect) {
            _ = try SchemaCheck.arguments(value, schema)
            return nil
        } catch {
            return error.message
        }
    }

    @Test(
        arguments: [
            ([:], "count is missing"), (["count": nil], "count is missing"),
            (["count": "1"], "count has to be a whole number of 0 or more"),
            (["count": 1.5], "count has to be a whole number of 0 or more"),
            (["count": -1], "count has to be a whole number of 0 or more"),
            (["count": 1, "name": "c"], "name has to be one of a, b"),
            (["count": 1, "list": ["x", "y", "z"]], "list has to be an array of at most 2 elements"),
            (["count": 1, "list": ["x", "yyyy"]], "list[1] has to be a string of 0 to 3 characters"),
            (["count": 1, "flag": "true"], "flag has to be true or false"),
            (["count": 1, "texts": ["a": 1]], "texts.a has to be a string"),
            (["count": 1, "nmae": "a"], "there is no nmae; did you mean name?"),
            (["count": 1, "other": "a"], "there is no other; the names are count, flag, free, list, name, texts"),
            ([], "the value has to be an object"),
        ] as [(JSONValue, String)]
    )
    func aDefectIsNamedByItsPlace(value: JSONValue, message: String) { #expect(defect(value) == message) }

    @Test func wholeNumbersMayBeWrittenInAnyForm() throws {
        let value = try JSONValue(parsing: Array(#"{"count":1.2e3}"#.utf8))
        #expect(try SchemaCheck.arguments(value, schema) == ["count": 1_200])
    }

    @Test func membersWithoutASchemaStayAsTheyAre() throws {
        let value: JSONValue = ["count": 1, "free": ["a": [nil, 1.5]], "texts": ["b": "c"]]
        #expect(try SchemaCheck.arguments(value, schema) == value)
    }

    @Test func optionalMembersOfAResultThatDoNotConformAreLeftOut() throws {
        #expect(try SchemaCheck.result(["count": 1, "flag": 3, "name": nil], schema) == ["count": 1])
        #expect(throws: SchemaCheck.Defect.self) { try SchemaCheck.result(["count": "x"], schema) }
    }

    @Test(arguments: BudgetTool.allCases) func theSchemasOfAToolAreObjects(tool: BudgetTool) throws {
        let definition = try JSONValue(parsing: Array(tool.definition.utf8))
        #expect(definition["name"]?.string == tool.rawValue)
        #expect(definition["inputSchema"] == tool.schema(BudgetSchemas.input))
        #expect(definition["inputSchema"]?["type"] == "object" && definition["outputSchema"]?["type"] == "object")
        #expect(definition["annotations"]?["openWorldHint"] == false)
        #expect(definition["annotations"]?["readOnlyHint"] == .bool(tool.isReadOnly))
        #expect(definition["annotations"]?["destructiveHint"] == false)
        #expect(definition["annotations"]?["idempotentHint"] == true)
    }

    @Test func fourToolsChangeNothing() {
        let tools: [BudgetTool] = [.decide, .checkBalance, .listReservations, .getReservation]
        #expect(BudgetTool.allCases.filter(\.isReadOnly) == tools)
    }
}
