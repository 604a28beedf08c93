# frozen_string_literal: true

# Only the listeners that it inherits: without this puma opens port 9292 as well.
bind_to_activated_sockets "only"
threads 5, 5

# A thread reads the request by itself. In puma's queue of connections that have said nothing yet, they are lost at the stop.
queue_requests false
