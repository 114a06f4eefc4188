# A proxy for old and new clients on em-websocket: ruby em_websocket.rb UPSTREAM_PORT
#
# It accepts a client, then connects to the upstream, and passes a message on when it is whole. The gem is a server only:
# the few lines of a client of RFC 6455 are here. It prints its port.

require 'em-websocket'
require 'securerandom'

# A client of RFC 6455 that sends text, and gets whole frames of text.
class Upstream < EM::Connection
  attr_writer :client

  def post_init
    @received = String.new(encoding: Encoding::BINARY)
    @waiting = []
    send_data("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
              "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: #{[SecureRandom.bytes(16)].pack('m0')}\r\n\r\n")
  end

  def receive_data(data)
    @received << data
    return if @waiting && !open?

    while (frame = next_frame)
      @client.send_text(frame.force_encoding(Encoding::UTF_8))
    end
  end

  def open?
    head_end = @received.index("\r\n\r\n") or return false
    @received = @received.byteslice(head_end + 4..)
    waiting = @waiting
    @waiting = nil
    waiting.each { |text| send_text(text) }
    true
  end

  def next_frame
    return if @received.bytesize < 10 && @received.bytesize < 2 + (@received.getbyte(1) || 127)

    size, head = @received.getbyte(1), 2
    size, head = @received.byteslice(2, 2).unpack1('n'), 4 if size == 126
    size, head = @received.byteslice(2, 8).unpack1('Q>'), 10 if size == 127
    return if @received.bytesize < head + size

    frame = @received.byteslice(head, size)
    @received = @received.byteslice(head + size..)
    frame
  end

  def send_text(text)
    return @waiting << text if @waiting

    size, key = text.bytesize, SecureRandom.bytes(4)
    head = if size < 126 then [0x81, 0x80 | size].pack('CC')
           elsif size < 65_536 then [0x81, 0xFE, size].pack('CCn')
           else [0x81, 0xFF, size].pack('CCQ>')
           end
    words = (text.b + "\0" * (-size % 4)).unpack('N*')
    key_word = key.unpack1('N')
    send_data(head + key + words.map { |word| word ^ key_word }.pack('N*').byteslice(0, size))
  end

  def unbind
    @client.close
  end
end

EM.epoll
EM.set_descriptor_table_size(Process.getrlimit(:NOFILE)[0])
EM.run do
  server = EM::WebSocket.run(host: '127.0.0.1', port: 0) do |client|
    upstream = nil
    client.onopen do
      upstream = EM.connect('127.0.0.1', ARGV[0].to_i, Upstream)
      upstream.client = client
    end
    client.onmessage { |text| upstream.send_text(text) }
    client.onclose { upstream&.close_connection }
  end
  port, = Socket.unpack_sockaddr_in(EM.get_sockname(server))
  puts "listening #{port}"
  $stdout.flush
end
