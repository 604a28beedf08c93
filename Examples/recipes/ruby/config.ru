# frozen_string_literal: true

generation = ENV.fetch("ROOST_GENERATION", "0")
run ->(_) { [200, { "content-type" => "text/plain", "content-length" => "6", "x-generation" => generation }, ["hello\n"]] }
